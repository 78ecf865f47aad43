/** What only the follower has is kept before it is overwritten: the copy's result is the same, and nothing is lost. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { compareTrees } from '../../verify/compare.js'
import { lineOf, type AsideLine } from '../../diverged/format.js'
import { placesFor } from './places.fixture.js'
import { Dice, RandomTree } from './random-tree.js'
import { Rig } from './rig.js'

const ZONE = 65_536
const rig = new Rig()
const place = placesFor('aside')

function linesOf(aside: string): AsideLine[] {
  const text = fs.readFileSync(join(aside, 'index.jsonl'), 'utf8')
  return text.split('\n').flatMap((line) => lineOf(line) ?? [])
}

function isComplete(aside: string): boolean {
  const last = fs.readFileSync(join(aside, 'index.jsonl'), 'utf8').trimEnd().split('\n').at(-1)
  return last?.includes('"complete":true') ?? false
}

/** Names are any bytes: one character a byte. */
function filesOf(directory: string): string[] {
  const found = execFileSync('find', ['.', '-type', 'f', '-print0'], { cwd: directory })
  return found.toString('latin1').split('\0').slice(0, -1)
}

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

test('only what differs is kept, as it was: changed, removed and replaced files, whatever the scope', (t) => {
  for (const full of [false, true]) {
    const [from, to, aside] = [place(), place(), place()]
    for (const root of [from, to]) {
      fs.mkdirSync(join(root, 'sub'))
      fs.writeFileSync(join(root, 'same'), 'x'.repeat(200_000))
      fs.writeFileSync(join(root, 'changed'), `a${'y'.repeat(200_000)}`)
      fs.writeFileSync(join(root, 'sub', 'longer'), 'short')
    }
    fs.writeFileSync(join(to, 'changed'), `b${'y'.repeat(200_000)}`)
    fs.writeFileSync(join(to, 'sub', 'longer'), 'much longer here')
    fs.writeFileSync(join(to, 'only here'), 'mine')
    fs.mkdirSync(join(to, 'gone', 'deep'), { recursive: true })
    fs.writeFileSync(join(to, 'gone', 'deep', 'file'), 'deep')
    fs.symlinkSync('nowhere', join(to, 'link'))
    fs.writeFileSync(join(from, 'replaced'), 'a file')
    fs.mkdirSync(join(to, 'replaced'))
    fs.writeFileSync(join(to, 'replaced', 'inner'), 'was a directory')
    t.deepEqual(rig.copy({ from, to, aside, full }).failed, [undefined, undefined])
    t.deepEqual(compareTrees(from, to), [])
    const kept = Object.fromEntries(linesOf(aside).map((line) => [line.path, line.why]))
    t.deepEqual(kept, {
      changed: 'changed',
      'sub/longer': 'changed',
      'only here': 'removed',
      'gone/deep/file': 'removed',
      link: 'removed',
      'replaced/inner': 'removed',
    })
    const read = (path: string): string => fs.readFileSync(join(aside, 'files', '0', path), 'utf8')
    t.is(read('changed'), `b${'y'.repeat(200_000)}`)
    t.is(read('sub/longer'), 'much longer here')
    t.is(read('gone/deep/file'), 'deep')
    t.is(fs.readlinkSync(join(aside, 'files', '0', 'link')), 'nowhere')
    t.true(isComplete(aside))
  }
})

test('two random trees that diverged: each file of the follower is in its new tree or set aside', (t) => {
  for (let seed = 1; seed <= 6; seed += 1) {
    const [from, to, aside, before] = [place(), place(), place(), place()]
    new RandomTree(from, new Dice(seed), ZONE).change(120)
    new RandomTree(to, new Dice(seed + 1_000), ZONE).change(120)
    execFileSync('cp', ['-a', `${to}/.`, before])
    t.deepEqual(rig.copy({ from, to, aside, full: seed % 2 === 0 }).failed, [undefined, undefined])
    t.deepEqual(compareTrees(from, to), [], `seed ${seed}`)
    for (const path of filesOf(before)) {
      const content = fs.readFileSync(bytes(`${before}/${path}`))
      const places = [`${aside}/files/0/${path}`, `${to}/${path}`].map(bytes)
      const isThere = places.some((one) => {
        const found = fs.lstatSync(one, { throwIfNoEntry: false })
        return found?.isFile() === true && fs.readFileSync(one).equals(content)
      })
      t.true(isThere, `${path}, seed ${seed}`)
    }
  }
})

test('a copy that goes on after an interruption keeps the first version of each file, and reads past a torn line', (t) => {
  const [from, to, aside] = [place(), place(), place()]
  fs.writeFileSync(join(from, 'a'), 'theirs')
  fs.writeFileSync(join(to, 'a'), 'half copied')
  fs.writeFileSync(join(to, 'b'), 'mine')
  fs.mkdirSync(join(aside, 'files', '0'), { recursive: true })
  fs.writeFileSync(join(aside, 'files', '0', 'a'), 'mine')
  const known: AsideLine = {
    ...{ volume: 0, path: 'a', type: 'file', size: 4, mtimeMs: 0, why: 'changed' },
  }
  fs.writeFileSync(join(aside, 'index.jsonl'), `${JSON.stringify(known)}\n{"volume":0,"pa`)
  t.deepEqual(rig.copy({ from, to, aside }).failed, [undefined, undefined])
  t.is(fs.readFileSync(join(aside, 'files', '0', 'a'), 'utf8'), 'mine')
  t.deepEqual(
    linesOf(aside).map(({ path }) => path),
    ['a', 'b'],
  )
  t.true(isComplete(aside))
})

test('names that are no text are kept under their bytes', (t) => {
  const [from, to, aside] = [place(), place(), place()]
  const name = Buffer.from([0xff, 0x41, 0x0a])
  fs.writeFileSync(Buffer.concat([Buffer.from(`${to}/`), name]), 'mine')
  t.deepEqual(rig.copy({ from, to, aside }).failed, [undefined, undefined])
  t.is(linesOf(aside)[0]?.bytes, 'ff410a')
  const kept = Buffer.concat([Buffer.from(`${aside}/files/0/`), name])
  t.is(fs.readFileSync(kept, 'utf8'), 'mine')
})

test('what can not be set aside is not overwritten, and the copy says what to do', (t) => {
  const [from, to, aside] = [place(), place(), place()]
  fs.writeFileSync(join(from, 'a'), 'theirs')
  fs.writeFileSync(join(to, 'a'), 'mine')
  // A file where the directory should be: whatever hinders it, the rule is the same.
  fs.writeFileSync(join(aside, 'files'), '')
  const [, failed] = rig.copy({ from, to, aside }).failed
  t.regex(failed ?? '', /a has writes that only this node has, and can't be set aside/)
  t.is(fs.readFileSync(join(to, 'a'), 'utf8'), 'mine')
})
