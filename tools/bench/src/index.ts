/** The benchmarks are a program (`main.ts`); what a test or another tool may use of them. */
export { median, percentile } from './statistics.js'
