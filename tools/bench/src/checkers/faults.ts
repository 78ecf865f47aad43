/** The fault matrix: what can happen to what each checker watches. */
import { freeAddress, type Product } from '@holdfast/lab'
import { httpPort, httpsPort } from './application.js'
import type { CheckerFault } from './fault.js'
import type { Stand } from './stand.js'

const looks = 'interval="1s" timeout="1s"'
const url = `http://127.0.0.1:${String(httpPort)}/`
const service = freeAddress(7)
export const leader = 'leader'

const sh = (node: Product, script: string): Promise<string> =>
  node.host.mustRun(['sh', '-c', script])
const onNode =
  (script: string) =>
  ({ n1 }: Stand): Promise<string> =>
    sh(n1, script)
const touch = (name: string): ((stand: Stand) => Promise<string>) =>
  onNode(`touch /run/fault-${name}`)
const remove = (name: string): ((stand: Stand) => Promise<string>) =>
  onNode(`rm -f /run/fault-${name}`)
const killed = (which: 'server' | 'worker'): ((stand: Stand) => Promise<string>) =>
  onNode(`kill -KILL $(cat /run/${which}.pid)`)

const webFaults: readonly CheckerFault[] = [
  {
    name: 'tcp-closed',
    what: 'the server dies, its port is closed',
    resource: 'tcp.web',
    xml: `<check><tcp ident="web"><to addr="127.0.0.1" port="${String(httpPort)}" ${looks}/></tcp></check>`,
    inject: killed('server'),
    rule: 't_web',
    action: 'restart',
    cause: /127\.0\.0\.1 port 8099: .*ECONNREFUSED/,
  },
  {
    name: 'http-hangs',
    what: 'the server takes connections and answers nothing',
    resource: 'http.page',
    xml: `<check><http ident="page"><to url="${url}" ${looks}/></http></check>`,
    inject: onNode('kill -STOP $(cat /run/server.pid)'),
    rule: 'h_page',
    action: 'restart',
    cause: /no answer within 1000 ms/,
  },
  {
    name: 'http-status',
    what: 'the server answers 503',
    resource: 'http.page',
    xml: `<check><http ident="page"><to url="${url}" ${looks}/></http></check>`,
    inject: touch('status'),
    rule: 'h_page',
    action: 'restart',
    cause: /503/,
  },
  {
    name: 'http-body',
    what: 'status 200, but the page says something else',
    resource: 'http.page',
    xml: `<check><http ident="page"><to url="${url}" body="database: ok" ${looks}/></http></check>`,
    inject: touch('body'),
    rule: 'h_page',
    action: 'restart',
    cause: /body/,
  },
  {
    name: 'https-cert',
    what: 'the server shows a certificate of a stranger',
    resource: 'http.page',
    xml: `<check><http ident="page"><to url="https://127.0.0.1:${String(httpsPort)}/" ca="/run/own.pem" ${looks}/></http></check>`,
    inject: onNode('touch /run/fault-tls && kill -HUP $(cat /run/server.pid)'),
    rule: 'h_page',
    action: 'restart',
    cause: /self-signed certificate/,
  },
]

const networkFaults: readonly CheckerFault[] = [
  {
    name: 'ping',
    what: 'a machine that both nodes need does not answer any more',
    resource: 'ping.gateway',
    xml: `<check><ping ident="gateway"><to addr="10.77.0.101" ${looks}/></ping></check>`,
    inject: ({ lab }) => lab.network.cut({ host: 'c1' }),
    heal: ({ lab }) => lab.network.heal({ host: 'c1' }),
    rule: 'p_gateway',
    action: 'wait',
    cause: /10\.77\.0\.101/,
  },
  {
    name: 'intf-cable',
    what: 'the cable is pulled out',
    resource: 'intf.lan',
    xml: '<check><intf ident="lan"><to local_addr="10.77.0.11"/></intf></check>',
    inject: ({ lab }) => lab.network.cut({ host: 'n1' }),
    heal: ({ lab }) => lab.network.heal({ host: 'n1' }),
    rule: 'interface_failure',
    action: 'wait',
    cause: /eth0 has no carrier/,
  },
  bonded('intf-bond', 'bond', 'type bond mode active-backup miimon 50'),
  bonded('intf-bridge', 'bridge', 'type bridge forward_delay 0'),
  {
    name: 'ip-missing',
    what: 'somebody removes the address',
    resource: 'ip.service',
    ...address(service.ipv4, 24),
    inject: onNode(`ip addr del ${service.ipv4}/24 dev eth0`),
    heal: onNode(`ip addr add ${service.ipv4}/24 dev eth0`),
    cause: /this node does not have 10\.77\.0\.207/,
  },
  ...[duplicate('ip-duplicate4', 'IPv4', service.ipv4, 24)],
  ...[duplicate('ip-duplicate6', 'IPv6', service.ipv6, 64)],
]

/** Two cables as one: nothing follows from the first that is out. */
function bonded(name: string, kind: string, type: string): CheckerFault {
  const ports = ['1', '2'].map((port) => `${kind}${port}`)
  const add = [
    `ip link add ${kind}0 ${type}`,
    ...ports.flatMap((port) => [
      `ip link add ${port} type veth peer name ${port}x`,
      `ip link set ${port} master ${kind}0`,
      `ip link set ${port} up && ip link set ${port}x up`,
    ]),
    `ip link set ${kind}0 up`,
  ]
  return {
    name,
    what: `the last cable of a ${kind} is pulled out`,
    resource: 'intf.both',
    xml: `<check><intf ident="both"><to name="${kind}0"/></intf></check>`,
    impossible: async ({ n1 }) => {
      const probe = `ip link add hfprobe ${type} && ip link del hfprobe`
      const { code, stderr } = await n1.host.run(['sh', '-c', probe])
      return code === 0 ? undefined : `the kernel has no ${kind}: ${stderr.trim()}`
    },
    prepare: onNode(add.join(' && ')),
    harmless: async (stand) => {
      await sh(stand.n1, `ip link set ${kind}1x down`)
      await stand.remains('intf.both', 'up')
    },
    inject: onNode(`ip link set ${kind}2x down`),
    heal: onNode(`ip link set ${kind}1x up && ip link set ${kind}2x up`),
    end: onNode(`ip link del ${kind}0; ip link del ${kind}1; ip link del ${kind}2`),
    rule: 'interface_failure',
    action: 'wait',
    cause: new RegExp(`${kind}0 has no carrier`),
  }
}

function address(
  addr: string,
  prefix: number,
): Pick<CheckerFault, 'xml' | 'prepare' | 'end' | 'rule' | 'action'> {
  return {
    xml: `<check><ip ident="service"><to addr="${addr}" interval="1s"/></ip></check>`,
    prepare: onNode(
      `ip addr add ${addr}/${String(prefix)} dev eth0 ${prefix === 64 ? 'nodad' : ''}`,
    ),
    end: onNode(`ip addr del ${addr}/${String(prefix)} dev eth0`),
    rule: 'ip_failure',
    action: 'stopstart',
  }
}

function duplicate(name: string, family: string, addr: string, prefix: number): CheckerFault {
  const place = [`${addr}/${String(prefix)}`, 'dev', 'eth0']
  return {
    name,
    what: `another machine takes the ${family} address as well`,
    resource: 'ip.service',
    ...address(addr, prefix),
    inject: ({ lab }) => {
      const quiet = prefix === 64 ? ['nodad'] : []
      return lab.host('c1').mustRun(['ip', 'addr', 'add', ...place, ...quiet])
    },
    heal: ({ lab }) => lab.host('c1').mustRun(['ip', 'addr', 'del', ...place]),
    cause: /02:77:00:00:00:65 answers for .*, too/,
  }
}

const watch = `#!/bin/sh
while :; do
  now=up; [ ! -f /run/fault-loop ] || now=down
  /run/bin/holdfast resource set "$2" $now --by watch --cause "the queue is $now" -m "$1"
  sleep 0.2
done
`

const programFaults: readonly CheckerFault[] = [
  {
    name: 'custom-loop',
    what: 'an endless program says down',
    resource: 'custom.queue',
    xml: '<check><custom ident="queue" exec="watch" action="restart"/></check>',
    programs: { watch },
    inject: touch('loop'),
    heal: remove('loop'),
    rule: 'c_queue',
    action: 'restart',
    cause: /the queue is down/,
  },
  {
    name: 'custom-once',
    what: 'a program that is run again and again fails',
    resource: 'custom.orders',
    xml: '<check><custom ident="orders" mode="once" exec="probe" interval="1s" action="restart"/></check>',
    programs: { probe: '#!/bin/sh\n[ ! -f /run/fault-once ] || { echo "no orders"; exit 1; }\n' },
    inject: touch('once'),
    heal: remove('once'),
    rule: 'c_orders',
    action: 'restart',
    cause: /exit code 1: no orders/,
  },
  {
    name: 'ocf',
    what: 'the monitor of a resource agent finds nothing that runs',
    resource: 'ocf.dummy',
    xml: '<check><ocf ident="dummy" agent="heartbeat:Dummy" interval="1s"><param name="state" value="/run/dummy.state"/></ocf></check>',
    impossible: async ({ n1 }) => {
      const { code } = await n1.host.run(['test', '-x', '/usr/lib/ocf/resource.d/heartbeat/Dummy'])
      return code === 0 ? undefined : 'resource-agents is not installed'
    },
    inject: onNode('rm /run/dummy.state'),
    rule: 'o_dummy',
    action: 'restart',
    cause: /it does not run \(7\)/,
  },
  {
    name: 'proc-dies',
    what: 'a process dies',
    resource: 'proc.hfworker',
    xml: '<errd polltimer="1s"><proc name="hfworker" action="restart"/></errd>',
    inject: killed('worker'),
    rule: 'proc_hfworker',
    action: 'restart',
    cause: /0 of hfworker run, at least 1 must/,
  },
  {
    name: 'proc-many',
    what: 'a process runs too often',
    resource: 'proc.hfworker',
    xml: '<errd polltimer="1s"><proc name="hfworker" atmax="2" action="restart"/></errd>',
    inject: onNode('setsid /run/hfworker 86414 >/dev/null 2>&1 & echo $! >/run/second.pid'),
    heal: onNode('kill -KILL $(cat /run/second.pid)'),
    rule: 'proc_hfworker',
    action: 'restart',
    cause: /2 of hfworker run/,
  },
]

const moduleFaults: readonly CheckerFault[] = [
  {
    name: 'module-local',
    what: 'another module of this node is stopped',
    resource: `module.${leader}`,
    xml: `<check><module name="${leader}"/></check>`,
    inject: ({ n1 }) => n1.mustRun(['stop', '-m', leader, '--no-wait']),
    heal: ({ n1 }) => n1.mustRun(['start', '-m', leader, '--no-wait']),
    rule: 'module_failure',
    action: 'wait',
    cause: /leader is STOP|leader is WAIT|leader/,
  },
  {
    name: 'module-remote',
    what: 'a module of the other node is stopped',
    resource: `module.${leader}_n2`,
    xml: `<check><module name="${leader}"><to addr="n2" ${looks}/></module></check>`,
    nodes: ['n1', 'n2'],
    inject: ({ n2 }) => n2.mustRun(['stop', '-m', leader, '--no-wait']),
    heal: ({ n2 }) => n2.mustRun(['start', '-m', leader, '--no-wait']),
    rule: 'module_failure',
    action: 'wait',
    cause: /on n2/,
  },
]

export const checkerFaults: readonly CheckerFault[] = [
  ...webFaults,
  ...networkFaults,
  ...programFaults,
  ...moduleFaults,
]
