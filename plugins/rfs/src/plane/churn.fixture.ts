/**
 * For tests, as a program: changes names and content in a directory without a pause and checks that each call did exactly what it should,
 * until its standard input ends. Whatever happens to the data plane meanwhile, this program must not notice. Prints the
 * number of rounds, or what was wrong (exit code 1).
 */
import fs from 'node:fs'
import { join } from 'node:path'
import { AT, RENAME, cstring, errnoName, renameat2, setxattr, removexattr, XATTR } from './libc.js'

const directory = process.argv[2] ?? ''
const path = (name: string): string => join(directory, name)

let rounds = 0
process.stdin.on('end', () => {
  process.stdout.write(`${rounds}\n`)
  process.exit(0)
})
process.stdin.resume()

const deleted = fs.openSync(path('deleted'), 'wx+')
fs.unlinkSync(path('deleted'))
const log = fs.openSync(path('log'), 'ax+')
turn()

function turn(): void {
  try {
    round(rounds)
  } catch (error) {
    process.stdout.write(
      `round ${rounds}: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n`,
    )
    process.exit(1)
  }
  rounds++
  setImmediate(turn)
}

function round(number: number): void {
  const text = `line ${number}\n`
  fs.writeSync(log, text)
  fs.writeSync(deleted, text, number * 16)
  const back = Buffer.alloc(text.length)
  fs.readSync(deleted, back, 0, back.length, number * 16)
  expect(back.toString() === text, 'an open file without a name has its content')
  names(number)
  attributes(number)
  if (number % 16 === 0) fs.fsyncSync(log)
}

function names(number: number): void {
  fs.writeFileSync(path('a'), `a${number}`, { flag: 'wx', mode: 0o640 })
  fs.mkdirSync(path('d'))
  fs.linkSync(path('a'), path('d/b'))
  expect(fs.statSync(path('a')).nlink === 2, 'it has two links')
  fs.symlinkSync('nowhere', path('l'))
  fs.renameSync(path('a'), path('d/c'))
  expect(!fs.existsSync(path('a')), 'it was renamed')
  fs.writeFileSync(path('e'), `e${number}`, { flag: 'wx' })
  exchange('e', 'd/c')
  expect(fs.readFileSync(path('e'), 'utf8') === `a${number}`, 'the names were exchanged once')
  expect(fs.readFileSync(path('d/c'), 'utf8') === `e${number}`, 'and the other one too')
  fs.renameSync(path('e'), path(`kept${number % 50}`))
  fs.unlinkSync(path('l'))
  fs.unlinkSync(path('d/b'))
  fs.unlinkSync(path('d/c'))
  fs.rmdirSync(path('d'))
}

function exchange(from: string, to: string): void {
  const [old, fresh] = [cstring(path(from)), cstring(path(to))]
  const done = renameat2(AT.FDCWD, old, AT.FDCWD, fresh, RENAME.EXCHANGE)
  expect(done === 0, `exchanging: ${errnoName(done)}`)
}

function attributes(number: number): void {
  const file = cstring(path(`kept${number % 50}`))
  const value = Buffer.from(String(number))
  const set = setxattr(file, cstring('user.n'), value, value.length, XATTR.CREATE)
  expect(set === 0, `setting an attribute: ${errnoName(set)}`)
  const removed = removexattr(file, cstring('user.n'))
  expect(removed === 0, `removing an attribute: ${errnoName(removed)}`)
  fs.chmodSync(path(`kept${number % 50}`), number % 2 === 0 ? 0o600 : 0o644)
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}
