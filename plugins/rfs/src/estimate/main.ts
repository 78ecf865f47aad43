/**
 * `node main.js PLACE`: prints as JSON what a journal says. A process of its own: a large one takes seconds to read, and applications
 * come first.
 */
import { constants, setPriority } from 'node:os'
import { messageOf } from '@holdfast/sdk'
import { bootIdOfMachine } from '../plane/journal/file.js'
import { type Place, readEstimate } from './read.js'

try {
  setPriority(constants.priority.PRIORITY_LOW)
  // The only starter of this program is commands.ts, which gives it this.
  const place = JSON.parse(process.argv[2] ?? '') as Omit<Place, 'bootId'>
  process.stdout.write(JSON.stringify(readEstimate({ ...place, bootId: bootIdOfMachine() })))
} catch (thrown) {
  process.stderr.write(messageOf(thrown))
  process.exitCode = 1
}
