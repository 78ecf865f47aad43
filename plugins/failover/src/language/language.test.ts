/** The rules of the reference's documentation, and rules that are wrong. */
import test from 'ava'
import { parseRules } from './parser.js'
import { readRules, ruleSet } from './rule-set.js'
import type { Condition } from './rule.js'

/** Conditions as text with all parentheses, to see how they were read. */
function shown(condition: Condition): string {
  switch (condition.kind) {
    case 'compare': {
      const { resource, equal, with: other } = condition
      const right = typeof other === 'string' ? other : `${other.side}.${other.class}.${other.id}`
      return `${resource.side}.${resource.class}.${resource.id}${equal ? '=' : '≠'}${right}`
    }
    case 'not':
      return `!${shown(condition.of)}`
    case 'and':
      return `(${shown(condition.left)} & ${shown(condition.right)})`
    case 'or':
      return `(${shown(condition.left)} | ${shown(condition.right)})`
  }
}

/** Rule → how its condition is read, and what follows. */
const documented: readonly (readonly [string, string, string])[] = [
  ['module_failure: if (module.? == down) then wait();', 'local.module.?=down', 'wait'],
  ['interface_failure: if (intf.? == down) then wait();', 'local.intf.?=down', 'wait'],
  ['ip_failure: if (ip.? == down) then stopstart();', 'local.ip.?=down', 'stopstart'],
  ['ip_failure: if (ip.* == down) then stopstart();', 'local.ip.*=down', 'stopstart'],
  [
    'splitbrain_failure: if (splitbrain.uptodate == down) then wait();',
    'local.splitbrain.uptodate=down',
    'wait',
  ],
  ['tcp_failure: if (tcp.? == down) then restart();', 'local.tcp.?=down', 'restart'],
  ['ping_failure: if (ping.? == down) then wait();', 'local.ping.?=down', 'wait'],
  ['t_web: if (tcp.web == down) then restart();', 'local.tcp.web=down', 'restart'],
  ['p_router: if( ping.router==down )then stop( ) ;', 'local.ping.router=down', 'stop'],
  ['c_x: if (custom.x != up) then swap();', 'local.custom.x≠up', 'swap'],
  ['a: if (intf.192.168.0.0 == down) then wait();', 'local.intf.192.168.0.0=down', 'wait'],
  ['b: if (ip.fd00::5 == down) then stopstart();', 'local.ip.fd00::5=down', 'stopstart'],
  ['c: if (module.db_10.0.0.1 == down) then wait();', 'local.module.db_10.0.0.1=down', 'wait'],
  ['d: if (proc.heart.exe == down) then stopstart();', 'local.proc.heart.exe=down', 'stopstart'],
  [
    'failover-off: if (heartbeat.* == down) then stopstart();',
    'local.heartbeat.*=down',
    'stopstart',
  ],
  ['rfs_syncat_wait: if (rfs.syncat != up) then wait();', 'local.rfs.syncat≠up', 'wait'],
  [
    'notuptodate_server: if (rfs.uptodate == down && heartbeat.* == down) then wait();',
    '(local.rfs.uptodate=down & local.heartbeat.*=down)',
    'wait',
  ],
  [
    'degraded_server: if (remote.rfs.degraded == up) then wait();',
    'remote.rfs.degraded=up',
    'wait',
  ],
  [
    'f: if (heartbeat.*==down && cluster()==down && rfs.synced==up && rfs.uptodate==down) then stop();',
    '(((local.heartbeat.*=down & local.cluster.peer=down) & local.rfs.synced=up) & local.rfs.uptodate=down)',
    'stop',
  ],
  [
    'e: if (local.ping.gw == down && remote.ping.gw == up) then swap();',
    '(local.ping.gw=down & remote.ping.gw=up)',
    'swap',
  ],
  ['g: if (local.ping.gw != remote.ping.gw) then wait();', 'local.ping.gw≠remote.ping.gw', 'wait'],
  ['h: if (down == tcp.a) then restart();', 'local.tcp.a=down', 'restart'],
  [
    'i: if (tcp.a == init || tcp.a == unknown) then wait();',
    '(local.tcp.a=init | local.tcp.a=unknown)',
    'wait',
  ],
  [
    'j: if (tcp.a == down || tcp.b == down && !tcp.c == up) then restart();',
    '(local.tcp.a=down | (local.tcp.b=down & !local.tcp.c=up))',
    'restart',
  ],
  [
    'k: if ((tcp.a == down || tcp.b == down) && !(tcp.c == up)) then restart();',
    '((local.tcp.a=down | local.tcp.b=down) & !local.tcp.c=up)',
    'restart',
  ],
]

for (const [text, condition, order] of documented) {
  test(`a documented rule is understood: ${text}`, (t) => {
    const { rules, errors } = readRules(text, { nodes: 2 })
    t.deepEqual(errors, [])
    const [rule] = rules
    t.is(rule === undefined ? '' : shown(rule.condition), condition)
    t.deepEqual(rule?.then, { kind: 'order', order })
  })
}

test('rules stand one after another, with comments anywhere between their words', (t) => {
  const { rules, errors } = parseRules(`
    /* first */ a /* of: two; */ : if (tcp.a == down) then restart();b:if(tcp.b==up)then stop();
    /* the end */
  `)
  t.deepEqual(errors, [])
  t.deepEqual(
    rules.map(({ label }) => label),
    ['a', 'b'],
  )
})

test('a rule can set a custom resource, and no resource that somebody watches', (t) => {
  const { rules } = parseRules('a: if (tcp.? == down) then custom.trouble = up;')
  t.deepEqual(rules[0]?.then, { kind: 'set', name: 'custom.trouble', value: 'up' })
  const { errors } = parseRules('a: if (rfs.synced == up) then rfs.uptodate=up;')
  t.is(errors[0]?.offset, 'a: if (rfs.synced == up) then '.length)
  t.regex(errors[0]?.message ?? '', /rfs\.uptodate can't be set by a rule/)
})

test('after an error it goes on behind the semicolon, so one look finds several', (t) => {
  const { rules, errors } = parseRules(`a: if (x) then wait(); b: if (tcp.b == down) then stop();
    c: if (tcp.c == down) then jump(); a: fi;`)
  t.is(errors.length, 3)
  t.deepEqual(
    rules.map(({ label }) => label),
    ['b'],
  )
})

test('labels are unique, the built-in one is taken, and remote. needs two nodes', (t) => {
  const rule = (label: string): string => `${label}: if (tcp.a == down) then wait();`
  const text = `${rule('a')} ${rule('a')} ${rule('Implicit_wakeup')} b: if (!(remote.tcp.a == up) || tcp.b == up) then wait();`
  const messages = readRules(text, { nodes: 3 }).errors.map(({ message }) => message)
  t.is(messages.length, 3)
  t.regex(messages[0] ?? '', /label a is there already/)
  t.regex(messages[1] ?? '', /give the rule another label/)
  t.regex(messages[2] ?? '', /exactly two nodes, this one is on 3/)
})

test('hostile texts end: deep nesting, many rules, many errors', (t) => {
  const nested = `a: if (${'('.repeat(5_000)}tcp.a == down${')'.repeat(5_000)}) then wait();`
  t.regex(parseRules(nested).errors[0]?.message ?? '', /nest deeper than 50/)
  const many = Array.from({ length: 300 }, (_, n) => `r${String(n)}: if (a.b == up) then wait();`)
  const parsed = parseRules(many.join(' '))
  t.is(parsed.rules.length, 200)
  t.true(parsed.errors.length <= 20)
  t.is(parseRules('!;'.repeat(5_000)).errors.length, 20)
  t.is(parseRules('/*'.repeat(20_000)).rules.length, 0)
})

test('the rules of Holdfast, of the checkers and of the operator are joined; the operator has the last word', (t) => {
  const operator = parseRules('ip_failure: if (ip.* == down) then wait();').rules
  const checkers = new Map([
    ['tcp.web', { rule: { label: 't_web', action: 'restart' as const } }],
    ['custom.quiet', { rule: undefined }],
  ])
  const joined = ruleSet({ extends: true, operator, checkers })
  t.deepEqual(
    joined.map(({ label, origin }) => `${label} ${origin}`),
    [
      'module_failure default',
      'interface_failure default',
      'ip_failure operator',
      'splitbrain_failure default',
      't_web tcp.web',
    ],
  )
  const alone = ruleSet({ extends: false, operator, checkers })
  t.deepEqual(
    alone.map(({ label }) => label),
    ['t_web', 'ip_failure'],
  )
})
