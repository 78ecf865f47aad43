/** cluster.xml: what is refused, and that every error has its place. */
import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { readLayout } from './config.js'

const node = (name: string, addr: string, more = '') =>
  `<node name="${name}" addr="${addr}"${more}/>`
const cluster = (lans: string, attributes = '') =>
  `<cluster>\n <lans${attributes}>\n${lans}\n </lans>\n</cluster>`
const lan = (name: string, ...nodes: readonly string[]) =>
  `  <lan name="${name}">\n${nodes.map((one) => `   ${one}`).join('\n')}\n  </lan>`
const two = lan('net', node('n1', '10.0.0.1'), node('n2', '10.0.0.2'))

test('defaults are filled in, and IPv6 loses its brackets', (t) => {
  const text = cluster(
    lan('net', node('n2', '[fd00::2]'), node('n1', 'host1.example', ' laddr="10.0.0.1"')),
  )
  t.deepEqual(readLayout(text, 'f'), {
    nodes: ['n1', 'n2'],
    pulseMs: 250,
    lans: [
      {
        ...{ name: 'net', port: 4800 },
        nodes: [
          { name: 'n2', addr: 'fd00::2' },
          { name: 'n1', addr: 'host1.example', laddr: '10.0.0.1' },
        ],
      },
    ],
  })
})

test('port and pulse are read', (t) => {
  const layout = readLayout(cluster(two, ' port="5000" pulse="1s"'), 'f')
  t.deepEqual([layout.pulseMs, layout.lans[0]?.port], [1000, 5000])
})

const refused: readonly [string, string, RegExp][] = [
  ['another root', '<safe/>', /^f:1:1: <safe> is not <cluster>/],
  ['no LAN', cluster(''), /^f:2:2: .*<lan> is missing/],
  ['a LAN without nodes', cluster('<lan name="a"/>'), /^f:3:1: .*<node> is missing/],
  ['a pulse of 1 ms', cluster(two, ' pulse="1ms"'), /^f:2:8: attribute "pulse"/],
  ['a port of 70000', cluster(two, ' port="70000"'), /^f:2:8: attribute "port"/],
  ['an unknown attribute', cluster(two, ' prot="1"'), /^f:2:8: .*did you mean "port"/],
  ['a capital letter in a name', cluster(lan('a', node('N1', '10.0.0.1'))), /^f:4:10: .*name/],
  [
    'a mistyped IPv4 address',
    cluster(lan('a', node('n1', '10.0.0.300'))),
    /^f:4:20: .*"10.0.0.300"/,
  ],
  ['a mistyped IPv6 address', cluster(lan('a', node('n1', 'fd00:::1'))), /^f:4:20: .*fd00/],
  ['a space in an address', cluster(lan('a', node('n1', 'a b'))), /^f:4:20: .*"a b"/],
  ['the address of everybody', cluster(lan('a', node('n1', '0.0.0.0'))), /^f:4:20:/],
  ['a LAN name twice', cluster(two + two.replaceAll('10.', '11.')), /"net" is used twice/],
  [
    'a node twice on a LAN',
    cluster(lan('a', node('n1', '10.0.0.1'), node('n1', '10.0.0.2'))),
    /^f:5:10: .*"n1" is used twice, first in line 4/,
  ],
  [
    'an address twice, written differently',
    cluster(lan('a', node('n1', '[FD00::1]'), node('n2', 'fd00::1'))),
    /^f:5:20: .*is used twice, first in line 4/,
  ],
  [
    'no LAN with all nodes',
    cluster(
      lan('a', node('n1', '10.0.0.1'), node('n2', '10.0.0.2')) +
        lan('b', node('n2', '10.0.1.2'), node('n3', '10.0.1.3')),
    ),
    /^f:3:3: no <lan> contains all nodes \(n1, n2, n3\)/,
  ],
  [
    '17 nodes',
    cluster(lan('a', ...Array.from({ length: 17 }, (_, at) => node(`n${at}`, `10.0.0.${at + 1}`)))),
    /at most 16|more than 16/,
  ],
  ['an entity', `<!DOCTYPE a [<!ENTITY b "c">]>${cluster(two)}`, /^f:1:\d+: /],
  ['300 KiB', cluster(two + ' '.repeat(300 * 1024)), /^f:1:1: .*larger than/],
]
for (const [what, text, message] of refused) {
  test(`cluster.xml with ${what} is refused with its place`, (t) => {
    t.throws(() => readLayout(text, 'f'), { instanceOf: HoldfastError, message })
  })
}
