/** Which rules hold for a module: those that Holdfast brings, those of its checkers, and the operator's own. */
import type { Checker } from '@holdfast/sdk'
import { parseRules, type Parsed } from './parser.js'
import { type Condition, type Rule, type RuleError, wakeupLabel } from './rule.js'

const defaultText = `
  module_failure: if (module.? == down) then wait();
  interface_failure: if (intf.? == down) then wait();
  ip_failure: if (ip.? == down) then stopstart();
  splitbrain_failure: if (splitbrain.uptodate == down) then wait();
`
export interface RuleSources {
  readonly extends: boolean
  readonly operator: readonly Rule[]
  readonly checkers: ReadonlyMap<string, Pick<Checker, 'rule'>>
}

/** A rule of the operator takes the place of another one with the same label. */
export function ruleSet(sources: RuleSources): readonly Rule[] {
  const rules = new Map<string, Rule>()
  const defaults = sources.extends ? parseRules(defaultText, 'default').rules : []
  for (const rule of defaults) rules.set(rule.label, rule)
  for (const [name, { rule }] of sources.checkers) {
    if (rule !== undefined) rules.set(rule.label, ruleOfChecker(name, rule))
  }
  for (const rule of sources.operator) rules.set(rule.label, rule)
  return [...rules.values()]
}

/** Built, not parsed: the name of a third party's resource may have characters that rules can't write. */
function ruleOfChecker(name: string, rule: NonNullable<Checker['rule']>): Rule {
  const dot = name.indexOf('.')
  return {
    label: rule.label,
    condition: {
      kind: 'compare',
      resource: { side: 'local', class: name.slice(0, dot), id: name.slice(dot + 1) },
      equal: true,
      with: 'down',
    },
    then: { kind: 'order', order: rule.action, routine: rule.routine ?? false },
    text: `${rule.label}: if (${name} == down) then ${rule.action}();`,
    origin: name,
  }
}

/** The operator's text with what is wrong beyond its grammar. */
export function readRules(text: string, facts: { readonly nodes: number }): Parsed {
  const { rules, errors } = parseRules(text)
  const more: RuleError[] = []
  const seen = new Set<string>()
  for (const { label, condition, offset } of rules) {
    if (label === wakeupLabel) {
      more.push({
        offset,
        message: `${wakeupLabel} is how wait() ends; give the rule another label`,
      })
    }
    if (seen.has(label))
      more.push({ offset, message: `a rule with the label ${label} is there already` })
    seen.add(label)
    if (facts.nodes !== 2 && usesRemote(condition)) {
      const count = String(facts.nodes)
      const message = `rule ${label}: "remote." needs a module on exactly two nodes, this one is on ${count}`
      more.push({ offset, message })
    }
  }
  return { rules, errors: [...errors, ...more].sort((a, b) => a.offset - b.offset) }
}

function usesRemote(condition: Condition): boolean {
  switch (condition.kind) {
    case 'compare': {
      const other = condition.with
      return (
        condition.resource.side === 'remote' ||
        (typeof other === 'object' && other.side === 'remote')
      )
    }
    case 'not':
      return usesRemote(condition.of)
    case 'and':
    case 'or':
      return usesRemote(condition.left) || usesRemote(condition.right)
  }
}
