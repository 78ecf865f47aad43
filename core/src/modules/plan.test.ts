/** Which plugin owns which element, and what is said when nobody or two do. */
import type { PluginManifest } from '@holdfast/sdk'
import test from 'ava'
import { satisfies } from '../kernel/versions.js'
import { parseXml } from '../xml/document.js'
import { planModule, type PlanResult } from './plan.js'

const object = (properties: object, more: object = {}): object => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...more,
})

function manifest(id: string, parts: Partial<PluginManifest>): PluginManifest {
  return {
    id,
    version: '1.0.0',
    engines: { holdfast: '^0.1.0' },
    entry: 'index.js',
    scope: 'module',
    platforms: ['linux'],
    needs: [],
    provides: [],
    contributes: [],
    requires: {},
    conflicts: [],
    capabilities: [],
    config: object({}),
    startTimeoutMs: 1_000,
    stopTimeoutMs: 1_000,
    ...parts,
  }
}

const mirror = manifest('mirror', {
  modes: ['mirror'],
  config: object({ service: object({ mode: { type: 'string' } }) }),
})

/** A plugin whose element stands in the shared `<check>`. */
function checker(id: string, name: string): PluginManifest {
  const to = object({ port: { type: 'integer' } }, { required: ['port'] })
  const list = { type: 'array', items: to }
  return manifest(id, { config: object({ check: object({ [name]: list }, { 'x-shared': true }) }) })
}

const tcp = checker('checker-tcp', 'tcp')
const ping = checker('checker-ping', 'ping')

function planned(
  service: string,
  available: readonly PluginManifest[],
  disabled: readonly PluginManifest[] = [],
): PlanResult {
  return planModule(parseXml(service, 'f.xml'), {
    platform: 'linux',
    available,
    broken: new Map(),
    disabled,
    coreTokens: [],
    satisfies,
  })
}

function configs(result: PlanResult): unknown {
  if (!result.ok) return result.findings
  return Object.fromEntries(result.plan.plugins.map((one) => [one.manifest.id, one.config]))
}

function messages(result: PlanResult): readonly string[] {
  if (result.ok) return []
  return result.findings.map((one) => `${String(one.line)}:${String(one.column)} ${one.message}`)
}

test('each child of a shared element goes to its own plugin, and only to that', (t) => {
  const xml =
    '<service mode="mirror"><check><tcp port="1"/><ping port="2"/><tcp port="3"/></check></service>'
  t.deepEqual(configs(planned(xml, [mirror, tcp, ping])), {
    'checker-ping': { check: { ping: [{ port: 2 }] } },
    'checker-tcp': { check: { tcp: [{ port: 1 }, { port: 3 }] } },
    mirror: { service: { mode: 'mirror' } },
  })
  const one = '<service mode="mirror"><check><tcp port="1"/></check></service>'
  t.deepEqual(Object.keys(configs(planned(one, [mirror, tcp, ping])) as object), [
    'checker-tcp',
    'mirror',
  ])
})

test('an unknown child of a shared element is told with all that are allowed, an error with its place', (t) => {
  const xml =
    '<service mode="mirror">\n<check>\n <tcpp port="1"/>\n <ping port="x"/>\n</check>\n</service>'
  t.deepEqual(messages(planned(xml, [mirror, tcp, ping])), [
    '3:2 unknown element <tcpp> in <check> (did you mean "tcp"?); allowed: ping, tcp',
    '4:8 attribute "port" of <ping> is "x": allowed: a whole number',
  ])
})

test('an element or a mode of a disabled plugin is told with the plugin and how to enable it', (t) => {
  const xml = '<service mode="mirror"><check><tcp port="1"/><ping port="2"/></check></service>'
  t.deepEqual(messages(planned(xml, [mirror, ping], [tcp])), [
    '1:31 <tcp> belongs to the plugin checker-tcp, which is disabled: holdfast plugin enable checker-tcp',
  ])
  t.deepEqual(messages(planned(xml, [tcp, ping], [mirror])), [
    '1:10 mode "mirror" belongs to the plugin mirror, which is disabled: holdfast plugin enable mirror',
  ])
})

test('what is wrong with the frame is said once, whoever shares it', (t) => {
  const xml =
    '<service mode="mirror"><check every="1"><tcp port="1"/><ping port="2"/></check></service>'
  t.deepEqual(messages(planned(xml, [mirror, tcp, ping])), [
    '1:31 unknown attribute "every" in <check>; allowed: none',
  ])
  const twice =
    '<service mode="mirror"><check><tcp port="1"/></check><check><tcp port="2"/></check></service>'
  t.deepEqual(messages(planned(twice, [mirror, tcp])), [
    '1:54 <check> is allowed only once in <service>',
  ])
})

test('two owners of one child, or a plugin that wants the whole frame, are refused with both names', (t) => {
  const xml = '<service mode="mirror"><check><tcp port="1"/></check></service>'
  t.deepEqual(messages(planned(xml, [mirror, tcp, checker('other', 'tcp')])), [
    '1:31 <tcp> belongs to the plugins checker-tcp and other: remove one of them',
  ])
  const greedy = manifest('greedy', { config: object({ check: object({}) }) })
  t.deepEqual(messages(planned(xml, [mirror, tcp, greedy])), [
    '1:24 <check> belongs to the plugins checker-tcp and greedy: remove one of them',
  ])
})
