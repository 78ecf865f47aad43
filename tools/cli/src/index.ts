/** What other tools use of the command line: its exit codes. */
export { exitCode } from './exit.js'
