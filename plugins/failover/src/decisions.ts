/** What failover decides, without a driver: what the simulator runs. */
export { nothingKnown, step } from './decide/decide.js'
export type { Action, Event, Fact, Report, State, Step } from './decide/types.js'
export { parseRules } from './language/parser.js'
export { ruleSet } from './language/rule-set.js'
