/** A worker process of a sweep: ranges of seeds in, tallies out. It ends when its parent hangs up. */
import { machineNamed } from './machines.js'
import { type Errand, sweep } from './sweep.js'

process.on('message', (errand: Errand) => {
  // A failure here is a fault of the simulator: it ends this process, and the parent says so.
  void sweep(machineNamed(errand.machine), errand).then((tally) => process.send?.(tally))
})
