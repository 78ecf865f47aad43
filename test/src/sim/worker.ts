/** A worker process of a sweep: ranges of seeds in, tallies out. It ends when its parent hangs up. */
import { type Range, sweep } from './sweep.js'

process.on('message', (range: Range) => {
  process.send?.(sweep(range))
})
