/** What the client was promised: one line for each answered entry, written by the client, read by the demo. */
import { open } from 'node:fs/promises'
import { until } from '../wait.js'

/** An entry whose answer reached the client. Times are of the machine's monotonic clock. */
export interface Acknowledged {
  readonly id: string
  /** Undefined for applications that give no number. */
  readonly sequence?: number
  /** The node that answered. */
  readonly node: string
  readonly answeredMs: number
}

/** Reads the client's file while the client goes on writing it. */
export class AcknowledgedFile {
  readonly all: Acknowledged[] = []
  readonly #path: string
  #offset = 0
  #torn = ''

  constructor(path: string) {
    this.#path = path
  }

  /** Reads what is new. */
  async read(): Promise<void> {
    const file = await open(this.#path, 'a+')
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(65_536), 0, 65_536, this.#offset)
        if (bytesRead === 0) return
        this.#offset += bytesRead
        this.#take(buffer.toString('utf8', 0, bytesRead))
      }
    } finally {
      await file.close()
    }
  }

  /** The first entry after `sinceMs` that `node` answered. */
  async firstBy(node: string, sinceMs: number, timeoutMs: number): Promise<Acknowledged> {
    let from = 0
    return until(
      `${node} answers the client`,
      async () => {
        await this.read()
        for (; from < this.all.length; from++) {
          const entry = this.all[from]
          if (entry !== undefined && entry.node === node && entry.answeredMs > sinceMs) return entry
        }
        return undefined
      },
      { timeoutMs, everyMs: 20 },
    )
  }

  /** `count` more entries: the client makes progress. */
  async more(count: number, timeoutMs: number): Promise<void> {
    await this.read()
    const target = this.all.length + count
    await until(
      `the client gets ${count} more answers`,
      async () => {
        await this.read()
        return this.all.length >= target ? true : undefined
      },
      { timeoutMs, everyMs: 20 },
    )
  }

  #take(text: string): void {
    const lines = (this.#torn + text).split('\n')
    this.#torn = lines.pop() ?? ''
    // Only our client writes this file.
    for (const line of lines) this.all.push(JSON.parse(line) as Acknowledged)
  }
}
