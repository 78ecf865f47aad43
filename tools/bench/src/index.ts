/** The benchmarks are a program (`main.ts`); what a test or another tool may use of them. */
export { median, percentile } from './statistics.js'
export { checkerFaults, leader } from './checkers/faults.js'
export { Stand } from './checkers/stand.js'
export { runMatrix } from './checkers/matrix.js'
