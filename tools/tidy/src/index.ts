/** House rules that no compiler knows, checked over the whole repository. */
export { findProblems } from './check.js'
export { type Problem } from './problem.js'
