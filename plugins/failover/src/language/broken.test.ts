/** What is wrong in a text of rules: where the error points to, and what it says to somebody who does not know the grammar. */
import test from 'ava'
import { readRules } from './rule-set.js'

const states = 'a state (init, down, up, unknown)'
const actions = 'an action: stop(), stopstart(), wait(), restart(), swap()'
const condition = 'a resource like tcp.web, "!" or "("'
const settable = 'only one of class custom can be set (custom.x = up)'

/** The text with a mark before the place, and the whole message of the first error. */
const broken: readonly (readonly [string, string])[] = [
  ['§: if (tcp.a == down) then wait();', 'expected the label of a rule, found ":"'],
  ['§1a: if (tcp.a == down) then wait();', 'expected the label of a rule, found "1a:"'],
  ['a §b: if (tcp.a == down) then wait();', 'expected ":", found "b:"'],
  ['a §if (tcp.a == down) then wait();', 'expected ":", found "if"'],
  ['a§', 'expected ":", found the end of the rules'],
  [
    '§if (tcp.a == down) then wait();',
    'this rule has no label: write label: if (condition) then action();',
  ],
  ['a: if (tcp.a == down) then wait();§;', 'expected the label of a rule, found ";"'],
  ['a: §while (tcp.a == down) then wait();', 'expected "if", found "while"'],
  ['a: §IF (tcp.a == down) then wait();', 'expected "if", found "IF"'],
  ['a: if §tcp.a == down then wait();', 'expected "(", found "tcp.a"'],
  ['a: if (§) then wait();', `expected ${condition}, found ")"`],
  ['a: if (§tcp == down) then wait();', `expected ${condition}, found "tcp"`],
  ['a: if (§tcp. == down) then wait();', `expected ${condition}, found "tcp."`],
  ['a: if (tcp.a == down && §) then wait();', `expected ${condition}, found ")"`],
  [
    'a: if (§remote.tcp == down) then wait();',
    '"remote." stands before class and name: remote.tcp.web',
  ],
  [
    'a: if (§0/1tcp.a == down) then wait();',
    'the prefix "0/1" is not understood: name the resource without it',
  ],
  ['a: if (tcp.a.b§. == down) then wait();', 'expected "==" or "!=", found "."'],
  ['a: if (tcp.a§) then wait();', 'expected "==" or "!=", found ")"'],
  ['a: if (tcp.a §= down) then wait();', 'expected "==" or "!=", found "="'],
  ['a: if (tcp.a §<> down) then wait();', 'expected "==" or "!=", found "<"'],
  ['a: if (tcp.a ==§= down) then wait();', `expected ${states} or a resource, found "="`],
  ['a: if (tcp.a == §) then wait();', `expected ${states} or a resource, found ")"`],
  ['a: if (tcp.a == §dead) then wait();', `expected ${states} or a resource, found "dead"`],
  ['a: if (tcp.a == §DOWN) then wait();', `expected ${states} or a resource, found "DOWN"`],
  ['a: if (tcp.a == §"down") then wait();', `expected ${states} or a resource, found """`],
  ['a: if (§up == down) then wait();', 'one side of a comparison must be a resource'],
  ['a: if (tcp.? == §tcp.*) then wait();', '"?" and "*" can only be compared with a state'],
  ['a: if (cluster §== down) then wait();', 'expected "(", found "=="'],
  ['a: if (cluster( §== down) then wait();', 'expected ")", found "=="'],
  [
    'a: if (tcp.a == down §and tcp.b == up) then wait();',
    'expected ")", "&&" or "||", found "and"',
  ],
  ['a: if (tcp.a == down §& tcp.b == up) then wait();', 'expected ")", "&&" or "||", found "&"'],
  ['a: if (tcp.a == down §| tcp.b == up) then wait();', 'expected ")", "&&" or "||", found "|"'],
  ['a: if ((tcp.a == down) §then wait();', 'expected ")", "&&" or "||", found "then"'],
  ['a: if (tcp.a == down§; b', 'expected ")", "&&" or "||", found ";"'],
  ['a: if (!tcp.a == down)§) then wait();', 'expected "then", found ")"'],
  ['a: if (tcp.a == down) §than wait();', 'expected "then", found "than"'],
  ['a: if (tcp.a == down) §wait();', 'expected "then", found "wait"'],
  ['a: if (tcp.a == down) then §reboot();', `expected ${actions}, found "reboot"`],
  ['a: if (tcp.a == down) then §{ wait(); }', `expected ${actions}, found "{"`],
  ['a: if (tcp.a == down) then wait§;', 'expected "(", found ";"'],
  ['a: if (tcp.a == down) then restart(§now);', 'expected ")", found "now"'],
  ['a: if (tcp.a == down) then stop()§, wait();', 'expected ";", found ","'],
  ['a: if (tcp.a == down) then swap() §wait();', 'expected ";", found "wait"'],
  ['a: if (tcp.a == down) then wait()§', 'expected ";", found the end of the rules'],
  ['a: if (tcp.a == down) then wait() §b: if', 'expected ";", found "b:"'],
  ['a: if (tcp.a == down) then custom.x =§= up;', `expected ${states}, found "="`],
  ['a: if (tcp.a == down) then custom.x = §tcp.b;', `expected ${states}, found "tcp.b"`],
  [
    'a: if (tcp.a == down) then §custom.? = up;',
    `custom.? can't be set by a rule: "?" and "*" mean several; ${settable}`,
  ],
  [
    'a: if (tcp.a == down) then §remote.custom.x = up;',
    `remote.custom.x can't be set by a rule: it belongs to the other node; ${settable}`,
  ],
  [
    'a: if (tcp.a == down) then §rfs.uptodate = up;',
    `rfs.uptodate can't be set by a rule: whoever watches it says what it is; ${settable}`,
  ],
  ['a: if (tcp.a == down) then wait(); §/* b', 'this comment has no end: "*/"'],
  ['§// why\na: if (tcp.a == down) then wait();', 'comments stand between "/*" and "*/"'],
  ['§# why\na: if (tcp.a == down) then wait();', 'comments stand between "/*" and "*/"'],
  [
    '§--Lua Rules\nRules = Rules + {}',
    'rules in Lua are not understood: write them as label: if (condition) then action();',
  ],
  [
    '§Implicit_wakeup: if (tcp.a == up) then restart();',
    'Implicit_wakeup is how wait() ends; give the rule another label',
  ],
  [
    'a: if (tcp.a == up) then stop(); §a: if (tcp.b == up) then stop();',
    'a rule with the label a is there already',
  ],
]

for (const [marked, message] of broken) {
  test(`the first error points to the mark and says what was expected: ${marked}`, (t) => {
    const [error] = readRules(marked.replace('§', ''), { nodes: 2 }).errors
    t.deepEqual(error, { offset: marked.indexOf('§'), message })
  })
}
