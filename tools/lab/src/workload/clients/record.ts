/** How a client writes down what it was promised: one write for each answer, in the order of the answers. */
import { openSync, writeFileSync, writeSync } from 'node:fs'

/** Milliseconds of the machine's monotonic clock, which all nodes of the lab share. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export interface Answered {
  readonly id: string
  readonly sequence?: number
  readonly node: string
}

/** Opens the record at `path`, and leaves this process's id in `path.pid`. */
export function recorder(path: string): (answered: Answered) => void {
  writeFileSync(`${path}.pid`, `${process.pid}\n`)
  const file = openSync(path, 'a')
  return (answered) => {
    writeSync(file, `${JSON.stringify({ ...answered, answeredMs: nowMs() })}\n`)
  }
}

/** The answer is true after a SIGTERM: workers then begin nothing new. */
export function stopOnTerm(): () => boolean {
  let stopping = false
  process.on('SIGTERM', () => {
    stopping = true
  })
  return () => stopping
}
