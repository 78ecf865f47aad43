/**
 * For tests: random operations of every kind on a directory, from a seed. `node battery.fixture.js DIR SEED COUNT [USER]`
 * prints one line an operation with its result; two directories that behave the same print the same.
 */
import { Battery } from './battery-operations.fixture.js'
import { AT, O, cstring, errnoName, openat } from './libc.js'

/** After everything is loaded: another user may not even be able to read this file. */
function becomeUser(user: number): void {
  process.setgroups?.([])
  process.setgid?.(user)
  process.setuid?.(user)
}

function main(directory: string, seed: number, count: number, user: number): void {
  if (user !== 0) becomeUser(user)
  const root = openat(AT.FDCWD, cstring(Buffer.from(directory)), O.DIRECTORY | O.CLOEXEC, 0)
  if (root < 0) throw new Error(`${directory}: ${errnoName(root)}`)
  const battery = new Battery(root, seed)
  const lines: string[] = []
  for (let index = 0; index < count; index++) lines.push(`${index} ${battery.step()}`)
  battery.end()
  process.stdout.write(lines.join('\n') + '\n')
}

if (process.argv[1]?.endsWith('battery.fixture.js') === true) {
  main(
    process.argv[2] ?? '',
    Number(process.argv[3]),
    Number(process.argv[4]),
    Number(process.argv[5] ?? 0),
  )
}
