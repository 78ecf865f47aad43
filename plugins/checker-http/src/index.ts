/** Does a web server answer as it should? `<check><http ident="shop"><to url="http://127.0.0.1/health" body="ok"/></http></check>` */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  type CheckEntry,
  checker,
  clock,
  definePlugin,
  entryProblems,
  looking,
  messageOf,
  moduleContext,
  ruleOf,
} from '@holdfast/sdk'
import { ask } from './http.js'

interface To {
  readonly url: string
  readonly method: 'GET' | 'HEAD'
  readonly status: string
  readonly body?: string
  readonly host?: string
  readonly verify: boolean
  readonly ca?: string
  /** Seconds, as the next. */
  readonly interval: number
  readonly timeout: number
  readonly retries: number
}

interface HttpEntry extends CheckEntry {
  readonly to: To
}

interface HttpConfig {
  readonly check: { readonly http: readonly HttpEntry[] }
}

const needs = { clock, module: moduleContext }

export const plugin = definePlugin<typeof needs, HttpConfig>({
  needs,
  activate({ clock, module }, { check }, scope) {
    for (const entry of check.http) {
      const { interval, timeout, retries } = entry.to
      const times = {
        everyMs: interval * 1_000,
        timeoutMs: timeout * 1_000,
        downAfter: retries + 1,
      }
      scope.contribute(checker, `http.${entry.ident}`, {
        when: entry.when,
        rule: ruleOf('h', entry, 'restart'),
        ...looking(clock, times, (signal) => look(entry.to, module.directories.package, signal)),
      })
    }
  },
})

export function check({ check }: HttpConfig) {
  const own = check.http.flatMap(({ to }, index) => {
    const path = `/check/http/${String(index)}/to`
    const problems: { readonly path: string; readonly message: string }[] = []
    if (!URL.canParse(to.url)) {
      problems.push({ path: `${path}/url`, message: `"${to.url}" is not an address` })
    } else if (new URL(to.url).username !== '') {
      const message = 'names and passwords do not belong into a configuration that everybody reads'
      problems.push({ path: `${path}/url`, message })
    }
    if (rangesOf(to.status) === undefined) {
      const message = `"${to.status}" is no list of status codes; write for example 200-299 401`
      problems.push({ path: `${path}/status`, message })
    }
    try {
      new RegExp(to.body ?? '')
    } catch (thrown) {
      if (!(thrown instanceof SyntaxError)) throw thrown
      problems.push({ path: `${path}/body`, message: messageOf(thrown) })
    }
    if (to.body !== undefined && to.method === 'HEAD') {
      problems.push({ path: `${path}/body`, message: 'an answer to HEAD has no body; use GET' })
    }
    return problems
  })
  return { errors: [...entryProblems('/check/http', check.http), ...own] }
}

async function look(to: To, directory: string, signal: AbortSignal): Promise<string> {
  // Read at each look: authorities are renewed while the module runs.
  const ca = to.ca === undefined ? undefined : await readFile(resolve(directory, to.ca), 'utf8')
  const { url, method, host, verify } = to
  const asking = { url, method, host, verify, ca, wantsBody: to.body !== undefined }
  const { status, body } = await ask(asking, signal)
  const isFine = rangesOf(to.status)?.some(([from, until]) => status >= from && status <= until)
  if (isFine !== true) throw new Error(`status ${String(status)}, not ${to.status}`)
  if (to.body !== undefined && !new RegExp(to.body).test(body)) {
    throw new Error(`status ${String(status)}, but the body does not match ${to.body}`)
  }
  return `status ${String(status)}`
}

/** Undefined: not a list of codes and ranges. */
function rangesOf(text: string): readonly (readonly [number, number])[] | undefined {
  const words = text.split(/[ ,]+/).filter((word) => word !== '')
  const ranges = words.map((word) => {
    const [, from = '', until = from] = /^(\d{3})(?:-(\d{3}))?$/.exec(word) ?? []
    return [Number(from), Number(until)] as const
  })
  const isList = ranges.length > 0 && ranges.every(([from, until]) => from > 0 && until >= from)
  return isList ? ranges : undefined
}
