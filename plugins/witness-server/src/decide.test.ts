import test from 'ava'
import fc from 'fast-check'
import type { Claim } from '@holdfast/sdk'
import { verdictOf } from './majority.js'
import { LineReader, lineBytesMax, parseAnswer, parseRequest, requestLine } from './protocol.js'
import { decide, type Grant, type Grants, grantsMax } from './server/decide.js'
import { findingsOf, parseAddress } from './settings.js'
import { formatToken, newEnrolment, parseToken } from './token.js'

const claims = fc.array(
  fc.record({ generation: fc.integer({ min: 1, max: 90 }), node: fc.constantFrom('n1', 'n2') }),
  { maxLength: 200 },
)

function run(asked: readonly Grant[]): { granted: Grant[]; grants: Grants } {
  const granted: Grant[] = []
  let grants: Grants = []
  for (const one of asked) {
    const { claim, next } = decide(grants, one)
    if (claim === 'granted') granted.push(one)
    grants = next
  }
  return { granted, grants }
}

test('no generation is granted to two nodes, in whatever order they claim', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(claims, (asked) => {
        const holders = new Map<number, string>()
        for (const { generation, node } of run(asked).granted) {
          if ((holders.get(generation) ?? node) !== node) return false
          holders.set(generation, node)
        }
        return true
      }),
    )
  })
})

test('a first grant is newer than every grant before it', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(claims, (asked) => {
        const { grants } = run(asked)
        const numbers = grants.map(({ generation }) => generation)
        return numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0))
      }),
    )
  })
})

test('a repeated claim is granted again, also after a newer grant, as long as it is remembered', (t) => {
  const five = { generation: 5, node: 'n1' }
  const { grants } = run([five, { generation: 6, node: 'n2' }])
  t.is(decide(grants, five).claim, 'granted')
  t.is(decide(grants, { generation: 5, node: 'n2' }).claim, 'refused')
  t.is(decide(grants, { generation: 4, node: 'n1' }).claim, 'refused')
  const many = Array.from({ length: grantsMax }, (_, index) => ({
    generation: 10 + index,
    node: 'n1',
  }))
  const later = run([five, ...many]).grants
  t.is(later.length, grantsMax)
  t.is(decide(later, five).claim, 'refused')
})

test('two nodes never both have the majority of servers that grant to one node each', (t) => {
  // For each server: the node that it granted, or that it can't be reached by one of them, or by both.
  const server = fc.record({
    holder: fc.constantFrom('n1', 'n2'),
    heardByN1: fc.boolean(),
    heardByN2: fc.boolean(),
  })
  const servers = fc.array(server, { minLength: 1, maxLength: 5 })
  t.notThrows(() => {
    fc.assert(
      fc.property(servers, (all) => {
        const seenBy = (node: 'n1' | 'n2'): Claim[] =>
          all.map((one) => {
            const isHeard = node === 'n1' ? one.heardByN1 : one.heardByN2
            if (!isHeard) return 'unknown'
            return one.holder === node ? 'granted' : 'refused'
          })
        return !(verdictOf(seenBy('n1')) === 'granted' && verdictOf(seenBy('n2')) === 'granted')
      }),
    )
  })
})

const verdicts: readonly [string, readonly (Claim | undefined)[], Claim | undefined][] = [
  ['one server decides alone', ['granted'], 'granted'],
  ['one server that does not answer is no refusal', ['unknown'], 'unknown'],
  ['two of three are enough', ['granted', undefined, 'granted'], 'granted'],
  [
    'one of three is not, while another can still answer',
    ['granted', undefined, 'unknown'],
    undefined,
  ],
  ['one of three is not, when no other answers', ['granted', 'unknown', 'unknown'], 'unknown'],
  ['two refusals of three refuse', ['refused', 'granted', 'refused'], 'refused'],
]
for (const [title, answers, verdict] of verdicts) {
  test(`majority: ${title}`, (t) => {
    t.is(verdictOf(answers), verdict)
  })
}

test('a request survives the wire, and anything else is malformed', (t) => {
  const request = { module: 'ledger', node: 'n1', generation: 7 }
  t.deepEqual(parseRequest(requestLine(request)), request)
  const malformed = [
    '',
    'null',
    '[]',
    '{"version":2,"module":"a","node":"n1","generation":1}',
    '{"version":1,"module":"../a","node":"n1","generation":1}',
    '{"version":1,"module":"a","node":"n1","generation":0}',
    '{"version":1,"module":"a","node":"n1","generation":1.5}',
    '{"version":1,"module":"a","node":"n1","generation":"1"}',
    `{"version":1,"module":"${'a'.repeat(64)}","node":"n1","generation":1}`,
  ]
  for (const line of malformed) t.is(parseRequest(line), undefined, line)
  for (const line of ['', '{}', '{"version":1,"claim":"yes"}', '{"version":2,"claim":"granted"}']) {
    t.is(parseAnswer(line), 'unknown', line)
  }
})

test('a line is read in whatever pieces it comes, and never without end', (t) => {
  const reader = new LineReader()
  t.is(reader.push(Buffer.from('ab')), undefined)
  t.is(reader.push(Buffer.from('c\nrest')), 'abc')
  t.is(new LineReader().push(Buffer.alloc(lineBytesMax + 1, 'a')), '')
})

test('a token that is not whole is refused, and the refusal does not show it', (t) => {
  const enrolment = newEnrolment('production')
  const token = formatToken(enrolment)
  t.deepEqual(parseToken(`${token}\n`), enrolment)
  for (const damaged of ['', token.slice(0, -1), `${token}A`, token.replace('HFW1', 'HFW2')]) {
    const error = t.throws(() => parseToken(damaged), { code: 'E_WITNESS_TOKEN' })
    t.false(error.message.includes(enrolment.secret.toString('base64url').slice(0, 8)))
  }
})

test('addresses are numbers with a port, never names', (t) => {
  t.deepEqual(parseAddress('10.0.0.9'), { host: '10.0.0.9', port: 4803 })
  t.deepEqual(parseAddress('10.0.0.9:99'), { host: '10.0.0.9', port: 99 })
  t.deepEqual(parseAddress('[fd00::9]:99'), { host: 'fd00::9', port: 99 })
  t.deepEqual(parseAddress('[fd00::9]'), { host: 'fd00::9', port: 4803 })
  for (const wrong of ['', 'witness', 'witness:99', '10.0.0.9:0', '10.0.0.9:65536', '10.0.0']) {
    t.is(parseAddress(wrong), undefined, wrong)
  }
})

test('an even number of servers and a server written twice are refused with their place', (t) => {
  const server = (addr: string) => ({ addr, keyfile: '/k' })
  const paths = (...addresses: string[]): string[] =>
    findingsOf({ witness: { server: addresses.map(server) } }).map(({ path }) => path)
  t.deepEqual(paths('10.0.0.9'), [])
  t.deepEqual(paths('10.0.0.9', '10.0.0.8', '10.0.0.7'), [])
  t.deepEqual(paths('10.0.0.9', '10.0.0.8'), ['/witness/server'])
  t.deepEqual(paths('10.0.0.9', 'w2', '10.0.0.9:4803'), [
    '/witness/server/1/addr',
    '/witness/server/2/addr',
  ])
})
