/** Parsing and binding of configuration, with hostile and mistaken input. */
import { HoldfastError, nearest } from '@holdfast/sdk'
import test, { type ExecutionContext } from 'ava'
import { bindElement, positionOf, tryBind } from './bind.js'
import { parseXml, placeInText } from './document.js'

const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['vip'],
  properties: {
    vip: {
      type: 'object',
      additionalProperties: false,
      required: ['mode'],
      properties: {
        mode: { type: 'string', enum: ['alias', 'mac'] },
        tcpreset: { type: 'boolean', default: false },
        timeout: { type: 'integer', 'x-duration': 'ms', default: 5000, minimum: 100 },
        retries: { type: 'integer', maximum: 9 },
        address: {
          type: 'array',
          minItems: 1,
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['addr'],
            properties: { addr: { type: 'string', pattern: '^[0-9.]+$' } },
          },
        },
        note: { type: 'array', items: { type: 'string' } },
      },
    },
    user: {
      type: 'object',
      additionalProperties: false,
      properties: { $text: { type: 'string' } },
    },
  },
}

function refusal(t: ExecutionContext, act: () => unknown): HoldfastError {
  return t.throws(act, { instanceOf: HoldfastError })
}

test('every element and attribute knows its line and column, also after CRLF and characters of two units', (t) => {
  const root = parseXml(
    '<?xml version="1.0"?>\r\n<a x = "1"\r\n  y=\'2 &amp; 3\'>😀<b z="q"/></a>',
    'f',
  )
  t.deepEqual([root.line, root.column], [2, 1])
  t.deepEqual(
    root.attributes.map(({ name, value, line, column }) => [name, value, line, column]),
    [
      ['x', '1', 2, 4],
      ['y', '2 & 3', 3, 3],
    ],
  )
  const [b] = root.children
  t.deepEqual([b?.line, b?.column, b?.attributes[0]?.column], [3, 19, 22])
})

test('each character of a text knows its place, through CDATA, references, comments and line ends', (t) => {
  const source =
    '<s><user>\r\n  x &amp;&amp; K<!-- > -->L <![CDATA[\n a > M\n ]]>\n&#x1F600;P > <x/>Q</user></s>'
  const [user] = parseXml(source, 'f').children
  const lines = source.split(/\r?\n/)
  const text = user?.text ?? ''
  for (const letter of 'KLMPQ') {
    const line = lines.findIndex((one) => one.includes(letter))
    const place = user === undefined ? undefined : placeInText(user, text.indexOf(letter))
    t.deepEqual(place, { line: line + 1, column: (lines[line]?.indexOf(letter) ?? 0) + 1 }, letter)
  }
})

test('an offset in a bound text leads to the file, behind the blanks that binding removes', (t) => {
  const source = '<s>\n<user><![CDATA[\n\n  rule: if\n then X ]]></user><vip mode="mac"/></s>'
  const { binding } = tryBind(parseXml(source, 'f'), schema)
  t.deepEqual(positionOf(binding, '/user/$text', 0), { line: 4, column: 3 })
  t.deepEqual(positionOf(binding, '/user/$text', 'rule: if\n then '.length), { line: 5, column: 7 })
})

const hostile: readonly [string, string, string][] = [
  ['an entity declaration', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', 'E_XML_DOCTYPE'],
  ['an external entity', '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', 'E_XML_DOCTYPE'],
  ['an unknown entity', '<a>&boom;</a>', 'E_XML_SYNTAX'],
  ['an attribute twice', '<a b="1"\n b="2"/>', 'E_XML_SYNTAX'],
  ['two roots', '<a/><b/>', 'E_XML_SYNTAX'],
  ['nothing', '', 'E_XML_SYNTAX'],
  ['an unclosed element', '<a><b></b>', 'E_XML_SYNTAX'],
  ['a NUL character', '<a>\0</a>', 'E_XML_SYNTAX'],
  ['65 levels', '<a>'.repeat(65) + '</a>'.repeat(65), 'E_XML_TOO_DEEP'],
  ['more than 1 MiB', `<a>${'x'.repeat(1024 * 1024)}</a>`, 'E_XML_TOO_LARGE'],
]

for (const [what, text, code] of hostile) {
  test(`a document with ${what} is refused with its place`, (t) => {
    const error = refusal(t, () => parseXml(text, 'conf/f.xml'))
    t.is(error.code, code)
    t.regex(error.message, /^conf\/f\.xml:\d+:\d+: \S/)
  })
}

test('a document of 100 MB is refused before it is parsed', (t) => {
  const huge = '<a>'.repeat(33_000_000)
  const before = process.hrtime.bigint()
  t.is(refusal(t, () => parseXml(huge, 'f')).code, 'E_XML_TOO_LARGE')
  t.true(process.hrtime.bigint() - before < 20_000_000_000n)
})

test('attributes are coerced, durations counted in their unit, and defaults filled in', (t) => {
  const text =
    '<s><vip mode="mac" tcpreset="on" timeout="1.5s"><address addr="1.2"/><address addr="3"/><note> a </note></vip></s>'
  t.deepEqual(bindElement(parseXml(text, 'f'), schema, 'f'), {
    vip: {
      mode: 'mac',
      tcpreset: true,
      timeout: 1500,
      address: [{ addr: '1.2' }, { addr: '3' }],
      note: ['a'],
    },
  })
  t.deepEqual(bindElement(parseXml('<s><vip mode="alias"/></s>', 'f'), schema, 'f'), {
    vip: { mode: 'alias', tcpreset: false, timeout: 5000 },
  })
})

test('all errors come at once, each with its place, what is wrong and what is allowed', (t) => {
  const text = `<s other="1">
  <vip tcpreset="maybe" timout="5s" timeout="50" retries="ten">
    <address addr="x"/>
    <address/>
  </vip>
  <vip mode="mac"/>
  <usr/>
  <user>fine</user>
  loose
</s>`
  const error = refusal(t, () => bindElement(parseXml(text, 'u.xml'), schema, 'u.xml'))
  t.is(error.code, 'E_CONFIG_INVALID')
  t.deepEqual(error.message.split('\n'), [
    'u.xml:1:1: <s> may not contain text ("loose")',
    'u.xml:1:4: unknown attribute "other" in <s>; allowed: none',
    'u.xml:2:3: attribute "mode" is missing in <vip>',
    'u.xml:2:8: attribute "tcpreset" of <vip> is "maybe": allowed: on, off (or true, false, yes, no)',
    'u.xml:2:25: unknown attribute "timout" in <vip> (did you mean "timeout"?); allowed: mode, retries, tcpreset, timeout',
    'u.xml:2:37: attribute "timeout" of <vip> is "50": must be >= 100',
    'u.xml:2:50: attribute "retries" of <vip> is "ten": allowed: a whole number',
    'u.xml:3:14: attribute "addr" of <address> is "x": must match pattern "^[0-9.]+$"',
    'u.xml:4:5: attribute "addr" is missing in <address>',
    'u.xml:6:3: <vip> is allowed only once in <s>',
    'u.xml:7:3: unknown element <usr> in <s> (did you mean "user"?); allowed: user, vip',
  ])
})

test('a missing element and a value outside an enumeration say what is allowed', (t) => {
  const missing = refusal(t, () => bindElement(parseXml('<s/>', 'f'), schema, 'f'))
  t.is(missing.message, 'f:1:1: element <vip> is missing in <s>')
  const wrong = refusal(t, () => bindElement(parseXml('<s><vip mode="x"/></s>', 'f'), schema, 'f'))
  t.is(wrong.message, 'f:1:9: attribute "mode" of <vip> is "x": allowed: alias, mac')
})

test('a secret is never shown, whatever is wrong with it', (t) => {
  const key = { type: 'string', pattern: '^[0-9a-f]+$', 'x-secret': true }
  const keyed = { type: 'object', properties: { key, wait: { type: 'integer', 'x-secret': true } } }
  const wrong = refusal(t, () =>
    bindElement(parseXml('<s key="hunter2" wait="soon"/>', 'f'), keyed, 'f'),
  )
  t.notRegex(wrong.message, /hunter2|soon/)
  t.regex(wrong.message, /attribute "key" of <s>: must match pattern/)
})

test('at most 20 errors are listed, and the rest is counted', (t) => {
  const text = `<s><vip mode="mac"/>${'<x/>'.repeat(30)}</s>`
  const error = refusal(t, () => bindElement(parseXml(text, 'f'), schema, 'f'))
  t.is(error.message.split('\n').length, 21)
  t.true(error.message.endsWith('… and 10 more'))
})

test('names that objects inherit are unknown like any other', (t) => {
  const text = '<s __proto__="1" constructor="2"><vip mode="mac"/><toString/></s>'
  const { findings } = tryBind(parseXml(text, 'f'), schema)
  t.is(findings.length, 3)
})

test('a JSON pointer leads back to the place in the document', (t) => {
  const text = '<s><vip mode="mac">\n<address addr="1"/>\n<address addr="2"/></vip></s>'
  const { positions } = tryBind(parseXml(text, 'f'), schema).binding
  t.deepEqual(positions.get('/vip/address/1/addr'), { line: 3, column: 10 })
})

test('a name is suggested only when it is close', (t) => {
  t.is(nearest('timout', ['timeout', 'time']), 'timeout')
  t.is(nearest('zzzz', ['timeout', 'time']), undefined)
})
