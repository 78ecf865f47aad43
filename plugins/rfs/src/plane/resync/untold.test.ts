/** The names of a directory that were not told: the same of few names and of very many, of which only hashes are kept. */
import fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { close } from '../libc.js'
import { placesFor } from './places.fixture.js'
import { Dice } from './random-tree.js'
import { removeName } from './remove.js'
import { DT, openDirectory } from './tree.js'
import { untoldNames } from './untold.js'

const place = placesFor('untold')
/** More than the first table has room for. */
const COUNT = 20_000
const nothing = (): void => undefined

test('what is left is what was there in the beginning and was not told, whether names are kept or their hashes', (t) => {
  const path = place()
  const nameOf = (index: number): string => `name ${index} \xe9`
  for (let index = 0; index < COUNT; index += 1) {
    const file = join(path, nameOf(index))
    if (index % 100 === 0) fs.mkdirSync(file)
    else fs.writeFileSync(file, '')
  }
  const root = fs.openSync(path, fs.constants.O_RDONLY)
  const told = fs.readdirSync(path, { encoding: 'latin1' })
  const directory = openDirectory(root, '')
  for (const most of [10, Infinity]) {
    const names = untoldNames(directory, '', nothing, most)
    const expected = new Set(told)
    const dice = new Dice(most === 10 ? 1 : 2)
    for (const name of told) {
      if (dice.roll(10) === 0) continue
      const kind = /name (\d+00|0) /.test(name) ? DT.DIRECTORY : DT.FILE
      if (names.take(name) !== kind) t.fail(name)
      if (names.take(name) !== undefined) t.fail('it was told already')
      expected.delete(name)
    }
    t.is(names.take('not there'), undefined)
    // What comes later is none of them; what goes while they are asked for has been seen.
    const later = join(path, `later ${most}`)
    fs.writeFileSync(later, '')
    const left: string[] = []
    for (const name of names.rest()) {
      left.push(name)
      if (most !== 10) removeName(removal(root), directory, name)
    }
    t.deepEqual(left.sort(), [...expected].sort())
    fs.rmSync(later)
  }
  t.true(fs.readdirSync(path).length < COUNT)
  fs.closeSync(root)
  close(directory)
})

function removal(root: number): Parameters<typeof removeName>[0] {
  return { root, onLinked: nothing, onRemove: nothing, onStep: nothing }
}
