/** Asks a machine for an answer by the command `ping`, and says when this node can't ask at all. */
import { HoldfastError } from './errors.js'
import type { Exec } from './services.js'

export interface PingQuestion {
  /** One is lost now and then: one answer to several is enough. */
  readonly packets: number
  /** It ends by itself within this time; a second more is allowed for its own start. */
  readonly withinSeconds: number
  readonly signal: AbortSignal
}

/** `failed`: it could not ask, or the network says that there is no way; what it said. */
export type PingAnswer = 'answers' | 'silent' | { readonly failed: string }

/** `address` must not begin with a minus. Rejects with HoldfastError when the command can't be run. */
export async function ping(
  exec: Exec,
  address: string,
  { packets, withinSeconds, signal }: PingQuestion,
): Promise<PingAnswer> {
  const times = ['-c', String(packets), '-i', '0.2', '-w', String(withinSeconds)]
  const options = { timeoutMs: withinSeconds * 1_000 + 1_000, signal }
  const { code, stdout, stderr } = await exec.run('ping', ['-n', '-q', ...times, address], options)
  if (code === 0 || / [1-9]\d* received/.test(stdout)) return 'answers'
  return code === 1 ? 'silent' : { failed: stderr.trim().slice(0, 200) }
}

/** For checks of a configuration. Undefined: `ping` works on this node. */
export async function pingProblem(exec: Exec): Promise<string | undefined> {
  const problem = (why: string): string =>
    `"ping" does not work here (${why}): install iputils-ping`
  try {
    const { code, stderr } = await exec.run('ping', ['-V'], { timeoutMs: 2_000 })
    return code === 0 ? undefined : problem(stderr.trim().slice(0, 200))
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown
    return problem(thrown.message)
  }
}
