/** `cluster init --lan`: refusals in the words that were typed. */
import { HoldfastError } from '@holdfast/sdk'
import test from 'ava'
import { typedLans } from './commands/lans.js'

test('whoever typed --lan is told of no line of a file and of nothing that only a file has', (t) => {
  const typed = typedLans(['default=n1:10.0.0.300,n2:10.0.0.2', 'b&c=n1:10.0.0.2,n2:10.1.0.2'])
  t.is(typed.xml.split('\n')[6], '    <lan name="b&#38;c">')
  const cases: readonly (readonly [string, string, string])[] = [
    [
      'E_CONFIG_INVALID',
      'cluster.xml:4:23: attribute "addr" of <node> is "10.0.0.300": allowed: a DNS name\n' +
        'cluster.xml:7:10: attribute "name" of <lan> is "b&c": must match\n' +
        'cluster.xml:8:23: address "10.0.0.2" is used twice, first in line 5\n' +
        'cluster.xml:3:5: no <lan> contains all nodes (n1, n2); at least one must',
      '--lan default=…n1:10.0.0.300: the address is "10.0.0.300": allowed: a DNS name\n' +
        '--lan b&c: the name of the network is "b&c": must match\n' +
        '--lan b&c=…n1:10.0.0.2: address "10.0.0.2" is used twice, first in --lan default=…n2:10.0.0.2\n' +
        '--lan default: no --lan contains all nodes (n1, n2); at least one must',
    ],
    ['E_CLUSTER_NODE', 'cluster.xml names no node "x"', '--lan names no node "x"'],
    [
      'E_CLUSTER_PORT',
      'n1: LAN default: x is not an address',
      'n1: LAN default: x is not an address',
    ],
  ]
  for (const [code, message, wanted] of cases) {
    const error = typed.reworded(new HoldfastError(code, message, { hint: 'xml' }))
    t.is(error.message, wanted)
    t.is(error.code, code)
    t.regex(error.hint ?? '', code === 'E_CLUSTER_NODE' ? /--node says/ : /--lan|behind its name/)
  }
  const busy = new HoldfastError('E_CLUSTER_BUSY', 'n2 is applying', { hint: 'later' })
  t.deepEqual(
    [typed.reworded(busy).message, typed.reworded(busy).hint],
    ['n2 is applying', 'later'],
  )
})
