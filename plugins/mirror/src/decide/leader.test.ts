import test from 'ava'
import { leader, type Leader } from './leader.js'
import { descend, noGeneration, relate } from './lineage.js'
import { config as anyConfig } from './state.fixture.js'
import type { Memory, MirrorConfig, MirrorRole, View } from './types.js'

const roles: readonly MirrorRole[] = ['stop', 'wait', 'second', 'demoting']
const datas: readonly Memory['data'][] = ['none', 'current', 'stale', 'partial']

function memory(
  data: Memory['data'],
  lineage: Pick<Memory, 'generation' | 'history'>,
  wasPrim: boolean,
): Memory {
  return { ...lineage, data, paired: true, wasPrim }
}

function config(self: string, peer: string, defaultprim: string): MirrorConfig {
  return { ...anyConfig, self, peer, defaultprim }
}

const first = descend({ generation: noGeneration, history: [] }, { owner: 'a', mark: 1 })
const second = descend(first, { owner: 'b', mark: 2 })
const otherSecond = descend(first, { owner: 'a', mark: 3 })
const none = { generation: noGeneration, history: [] }

function* views(): Generator<View> {
  for (const role of roles) {
    for (const data of datas) {
      for (const lineage of data === 'none' ? [none] : [first, second, otherSecond]) {
        for (const wasPrim of [true, false]) {
          yield { role, ready: false, held: false, memory: memory(data, lineage, wasPrim) }
          if (role === 'wait')
            yield { role, ready: false, held: true, memory: memory(data, lineage, wasPrim) }
        }
      }
    }
  }
}

const mirrored: Readonly<Record<Leader, Leader>> = {
  me: 'peer',
  peer: 'me',
  nobody: 'nobody',
  diverged: 'diverged',
}

test('both nodes name the same leader, whatever they are and have', (t) => {
  for (const defaultprim of ['alone', 'lastprim', 'a', 'b']) {
    for (const mine of views()) {
      for (const theirs of views()) {
        const here = leader(config('a', 'b', defaultprim), mine, theirs)
        const there = leader(config('b', 'a', defaultprim), theirs, mine)
        t.is(there, mirrored[here], JSON.stringify({ defaultprim, mine, theirs }))
      }
    }
  }
})

test('a node without complete current data never leads', (t) => {
  for (const mine of views()) {
    if (mine.memory.data === 'current') continue
    for (const theirs of views()) t.not(leader(config('a', 'b', 'a'), mine, theirs), 'me')
  }
})

test('a descendant is ahead of its ancestors, and two children of one generation have diverged', (t) => {
  t.is(relate(second, first), 'ahead')
  t.is(relate(first, second), 'behind')
  t.is(relate(second, otherSecond), 'diverged')
  t.is(relate(second, second), 'same')
  t.is(relate(none, first), 'behind')
})

test('the generation number grows past what is known of the peer', (t) => {
  t.deepEqual(descend(first, { owner: 'a', mark: 4 }, 7).generation, {
    number: 8,
    owner: 'a',
    mark: 4,
  })
})
