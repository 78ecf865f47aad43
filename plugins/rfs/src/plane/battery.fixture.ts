/**
 * For tests: random operations of every kind on a directory, from a seed. `node battery.fixture.js DIR TASK` prints one line
 * an operation with its result; two directories that behave the same print the same.
 */
import { Battery } from './battery-operations.fixture.js'
import { AT, O, cstring, errnoName, openat } from './libc.js'

/** What one process does: the operations with these numbers, as this user. */
export interface Task {
  readonly name: string
  readonly user: number
  readonly seed: number
  readonly operations: readonly number[]
}

/** After everything is loaded: another user may not even be able to read this file. */
function becomeUser(user: number): void {
  process.setgroups?.([])
  process.setgid?.(user)
  process.setuid?.(user)
}

function main(directory: string, { name, user, seed, operations }: Task): void {
  if (user !== 0) becomeUser(user)
  const root = openat(AT.FDCWD, cstring(Buffer.from(directory)), O.DIRECTORY | O.CLOEXEC, 0)
  if (root < 0) throw new Error(`${directory}: ${errnoName(root)}`)
  const battery = new Battery(root, name, seed)
  const lines = operations.map((number) => `${number} ${battery.step(number)}`)
  battery.end()
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}

if (process.argv[1]?.endsWith('battery.fixture.js') === true) {
  // Written by the test that runs this program.
  main(process.argv[2] ?? '', JSON.parse(process.argv[3] ?? '') as Task)
}
