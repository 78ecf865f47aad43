/** Questions for another node: they travel over the cluster's own stream, and are answered by the API there. */
import { type Control, HoldfastError, type Peers } from '@holdfast/sdk'
import { type Answer, answerOf, apiErrors } from './errors.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** What travels. `version` is the major of this message: an older node refuses what it can't read. */
export interface ForwardedRequest {
  readonly version: 1
  readonly method: Method
  /** Begins with `/api/v1/`, with the query behind it. */
  readonly url: string
  readonly body: unknown
}

/** Answers a request as if it had come through the socket of this node. */
export type Inject = (request: ForwardedRequest, from: string) => Promise<Answer>

const methods: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE'] satisfies Method[]
const readMs = 15_000
/** Changes that concern several nodes take two phases with time-outs of their own; this one is beyond them. */
const changeMs = 150_000
const waitGraceMs = 5_000
/** A message between nodes has at most 1 MiB; the rest is for its envelope. */
const answerBytesMax = 900 * 1024
const answeringMax = 64

export class Forwarder {
  readonly #control: Control
  readonly #peers: Peers
  #answering = 0

  constructor(control: Control, peers: Peers) {
    this.#control = control
    this.#peers = peers
  }

  /** Is `node` this node? Throws when the cluster has no such node. */
  isSelf(node: string): boolean {
    const { self, nodes } = this.#control.cluster()
    if (node === self) return true
    const names = nodes.map((view) => view.node)
    if (names.includes(node)) return false
    throw new HoldfastError(apiErrors.node, `the cluster has no node "${node}"`, {
      hint: names.length === 0 ? 'this node belongs to no cluster' : `nodes: ${names.join(', ')}`,
      fields: { node },
    })
  }

  async ask(node: string, request: ForwardedRequest, waitMs: number): Promise<Answer> {
    if (!this.#peers.state(node).connected) {
      throw new HoldfastError(apiErrors.nodeDown, `node ${node} is not connected`, {
        hint: `see \`holdfast cluster state\`; is holdfastd running on ${node}?`,
        fields: { node },
      })
    }
    const limitMs = (request.method === 'GET' ? readMs : changeMs) + waitMs
    return checkedAnswer(node, await this.#peers.call(node, request, limitMs + waitGraceMs))
  }

  /** Answers what other nodes ask, until the plugin stops. */
  serve(inject: Inject): () => void {
    return this.#peers.onCall(async (from, message) => {
      if (this.#answering >= answeringMax) {
        return answerOf(new HoldfastError(apiErrors.busy, 'too many forwarded requests at a time'))
      }
      this.#answering += 1
      try {
        return bounded(await inject(checkedRequest(message), from))
      } finally {
        this.#answering -= 1
      }
    })
  }
}

function checkedRequest(message: unknown): ForwardedRequest {
  const request = message as Partial<Record<keyof ForwardedRequest, unknown>> | null
  const { version, method, url, body } = request ?? {}
  const isKnown = version === 1 && typeof method === 'string' && methods.includes(method)
  if (!isKnown || typeof url !== 'string' || !url.startsWith('/api/v1/')) {
    throw new HoldfastError(
      apiErrors.request,
      'a forwarded request has a form that is not known here',
      {
        hint: 'the nodes may run different versions of Holdfast: see `holdfast cluster state -v`',
      },
    )
  }
  return { version, method: method as Method, url, body } // `methods` has just been checked.
}

function checkedAnswer(node: string, message: unknown): Answer {
  const { status, body } = (message ?? {}) as Partial<Record<keyof Answer, unknown>>
  if (typeof status === 'number' && status >= 200 && status < 600) return { status, body }
  throw new HoldfastError(
    apiErrors.request,
    `node ${node} answered in a form that is not known here`,
    {
      hint: 'the nodes may run different versions of Holdfast: see `holdfast cluster state -v`',
    },
  )
}

function bounded(answer: Answer): Answer {
  const bytes = Buffer.byteLength(JSON.stringify(answer.body ?? null))
  if (bytes <= answerBytesMax) return answer
  return answerOf(
    new HoldfastError(
      apiErrors.answerSize,
      `the answer has ${String(bytes)} bytes, too many to forward`,
      {
        hint: 'ask for less (limit), or ask on that node itself',
      },
    ),
  )
}
