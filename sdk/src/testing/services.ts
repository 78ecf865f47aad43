/** The core's services as values in memory: tests set what they answer, and read what they were told. */
import { HoldfastError } from '../errors.js'
import type { Exec, Log, LogLevel, RunOptions, RunResult, Store } from '../services.js'

export interface LogLine {
  readonly level: LogLevel
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

export class TestLog implements Log {
  readonly lines: LogLine[] = []

  write(level: LogLevel, event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.lines.push({ level, event, fields })
  }

  /** The names of the events, oldest first. */
  get events(): readonly string[] {
    return this.lines.map(({ event }) => event)
  }
}

/** Keeps JSON, like the real one: what a plugin reads is never the object that it wrote. */
export class TestStore implements Store {
  readonly volatile: Omit<Store, 'volatile'>
  /** Set: reads and writes fail with it. */
  failure: HoldfastError | undefined
  private readonly lasting = new Map<string, string>()
  private readonly passing = new Map<string, string>()

  constructor() {
    this.volatile = this.place(this.passing)
  }

  read<T>(name: string): Promise<T | undefined> {
    return this.place(this.lasting).read<T>(name)
  }

  write(name: string, value: unknown): Promise<void> {
    return this.place(this.lasting).write(name, value)
  }

  remove(name: string): Promise<void> {
    return this.place(this.lasting).remove(name)
  }

  /** The machine was switched off and on. */
  reboot(): void {
    this.passing.clear()
  }

  private place(values: Map<string, string>): Omit<Store, 'volatile'> {
    const checked = async (): Promise<void> => {
      await Promise.resolve()
      if (this.failure !== undefined) throw this.failure
    }
    return {
      read: async <T>(name: string) => {
        await checked()
        const text = values.get(name)
        return text === undefined ? undefined : (JSON.parse(text) as T) // The writer's type.
      },
      write: async (name, value) => {
        const text = JSON.stringify(value)
        await checked()
        values.set(name, text)
      },
      remove: async (name) => {
        await checked()
        values.delete(name)
      },
    }
  }
}

export interface Ran {
  readonly command: string
  readonly args: readonly string[]
  readonly options: RunOptions
}

/** Runs nothing: `answer` says what a command would have said. Unless it is set, every command is missing. */
export class TestExec implements Exec {
  readonly ran: Ran[] = []
  answer: (ran: Ran) => Partial<RunResult> | Promise<Partial<RunResult>> = ({ command }) => {
    throw new HoldfastError('E_EXEC_MISSING', `there is no ${command}`)
  }

  async run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
    const ran = { command, args, options }
    this.ran.push(ran)
    const nothing = { code: 0, signal: undefined, timedOut: false, stdout: '', stderr: '' }
    return { ...nothing, ...(await this.answer(ran)) }
  }
}
