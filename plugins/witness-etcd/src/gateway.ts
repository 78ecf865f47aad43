/** Speaks to the JSON gateway of etcd. What is not a whole answer is a reason, never a claim. */
import { messageOf } from '@holdfast/sdk'

export type Reply =
  { readonly ok: true; readonly body: unknown } | { readonly ok: false; readonly reason: string }

const answerBytesMax = 64 * 1024

export async function commit(
  endpoint: string,
  transaction: object,
  signal: AbortSignal,
): Promise<Reply> {
  try {
    const response = await fetch(new URL('/v3/kv/txn', endpoint), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(transaction),
      redirect: 'error',
      signal,
    })
    const text = await textOf(response)
    if (text === undefined) return { ok: false, reason: 'its answer is too long' }
    if (response.status !== 200) {
      return { ok: false, reason: `it answers ${String(response.status)}: ${text.slice(0, 200)}` }
    }
    return { ok: true, body: JSON.parse(text) }
  } catch (thrown) {
    if (!isNetworkFailure(thrown)) throw thrown
    const cause = thrown.cause === undefined ? '' : `: ${messageOf(thrown.cause)}`
    return { ok: false, reason: `${thrown.message}${cause}` }
  }
}

async function textOf(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const body: AsyncIterable<Uint8Array> | null = response.body
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > answerBytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** `fetch` throws TypeError for whatever the network does, the signal's reason, and JSON.parse a SyntaxError. */
function isNetworkFailure(thrown: unknown): thrown is Error {
  if (thrown instanceof TypeError || thrown instanceof SyntaxError) return true
  return thrown instanceof Error && ['AbortError', 'TimeoutError'].includes(thrown.name)
}
