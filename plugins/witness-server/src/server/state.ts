/**
 * What a witness keeps, one directory a cluster:
 *
 *   clusters/NAME/token          the secret that it shares with the nodes
 *   clusters/NAME/grants/MODULE  who was granted which generation
 *
 * Files are read for each question. Claims are rare, and so whatever an operator changes counts at once, and memory
 * does not grow with the clusters.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Claim, HoldfastError } from '@holdfast/sdk'
import type { ClaimRequest } from '../protocol.js'
import { type Enrolment, formatToken, isName, newEnrolment, parseToken } from '../token.js'
import { decide, type Grant, type Grants } from './decide.js'
import {
  codeOf,
  makeDirectory,
  namesIn,
  readIfThere,
  removeDurably,
  writeDurably,
} from './files.js'

export const clustersMax = 256
export const modulesMax = 64

export class WitnessState {
  readonly #directory: string
  #turn: Promise<unknown> = Promise.resolve()

  constructor(directory: string) {
    this.#directory = directory
  }

  async clusters(): Promise<readonly string[]> {
    return await namesIn(join(this.#directory, 'clusters'))
  }

  /** Throws `E_WITNESS_NAME`, `E_WITNESS_KNOWN` or `E_WITNESS_FULL`. */
  async add(cluster: string): Promise<Enrolment> {
    const directory = this.#cluster(cluster)
    const known = await this.clusters()
    if (known.includes(cluster)) {
      throw new HoldfastError('E_WITNESS_KNOWN', `the cluster ${cluster} has a token already`, {
        hint: `it was printed once; "holdfast-witness remove ${cluster}" takes it back, with all that was granted`,
      })
    }
    if (known.length >= clustersMax) throw full(`${String(clustersMax)} clusters`)
    const enrolment = newEnrolment(cluster)
    await makeDirectory(join(directory, 'grants'))
    await writeDurably(join(directory, 'token'), `${formatToken(enrolment)}\n`)
    return enrolment
  }

  /** Only when the whole cluster is gone: a node that still claims must not begin a new history. */
  async remove(cluster: string): Promise<void> {
    await this.#mustKnow(cluster)
    await removeDurably(this.#cluster(cluster))
  }

  async modules(cluster: string): Promise<ReadonlyMap<string, Grants>> {
    const names = await namesIn(join(this.#cluster(cluster), 'grants'))
    const grants = new Map<string, Grants>()
    for (const name of names) grants.set(name, await this.#grants(cluster, name))
    return grants
  }

  /** For a module that begins with a new history: its generations start at 1 again. */
  async forget(cluster: string, module: string): Promise<void> {
    await this.#mustKnow(cluster)
    await removeDurably(this.#file(cluster, module))
  }

  /** The secret of a cluster, or undefined. Synchronous, because TLS asks in the middle of a handshake. */
  secretOf(cluster: string): Buffer | undefined {
    if (!isName(cluster)) return undefined
    try {
      return parseToken(readFileSync(join(this.#cluster(cluster), 'token'), 'utf8')).secret
    } catch (thrown) {
      // A damaged token concerns its cluster only, whose nodes say that their secret is not known.
      if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'E_WITNESS_TOKEN') return undefined
      throw thrown
    }
  }

  /** Returns when the answer survives a power cut of this machine. */
  claim(cluster: string, request: ClaimRequest): Promise<Claim> {
    // One after the other: between reading and writing nobody else may be granted anything.
    const answer = this.#turn.then(() => this.#claim(cluster, request))
    this.#turn = answer.catch(() => undefined) // The failure is the asker's; the next one has its own turn.
    return answer
  }

  async #claim(cluster: string, { module, node, generation }: ClaimRequest): Promise<Claim> {
    const grants = await this.#grants(cluster, module)
    const { claim, next } = decide(grants, { generation, node })
    if (next === grants) return claim
    if (grants.length === 0) {
      const known = await namesIn(join(this.#cluster(cluster), 'grants'))
      if (known.length >= modulesMax) throw full(`${String(modulesMax)} modules of ${cluster}`)
    }
    const file = this.#file(cluster, module)
    await writeDurably(file, `${JSON.stringify({ format: 1, grants: next })}\n`)
    return claim
  }

  async #grants(cluster: string, module: string): Promise<Grants> {
    const file = this.#file(cluster, module)
    const text = await readIfThere(file)
    return text === undefined ? [] : parseGrants(text, file)
  }

  async #mustKnow(cluster: string): Promise<void> {
    if ((await this.clusters()).includes(cluster)) return
    throw new HoldfastError('E_WITNESS_UNKNOWN', `no cluster "${cluster}" here`, {
      hint: 'see "holdfast-witness list"',
    })
  }

  #file(cluster: string, module: string): string {
    return join(this.#cluster(cluster), 'grants', named(module))
  }

  #cluster(cluster: string): string {
    return join(this.#directory, 'clusters', named(cluster))
  }
}

/** A name becomes part of a path: nothing else may. */
function named(name: string): string {
  if (isName(name)) return name
  throw new HoldfastError('E_WITNESS_NAME', `"${name.slice(0, 80)}" is not a name`, {
    hint: 'a name has 1 to 63 characters a-z, 0-9 and -, the first one is not -',
  })
}

function full(what: string): HoldfastError {
  return new HoldfastError('E_WITNESS_FULL', `this witness has ${what}, which is its maximum`, {
    hint: 'remove what is not used any more, or use another witness',
  })
}

/** Who can't read what was granted must not grant. */
function parseGrants(text: string, file: string): Grants {
  const damaged = new HoldfastError('E_WITNESS_DAMAGED', `${file} is damaged`, {
    hint: 'nothing is granted for this module until it is restored, or forgotten with "holdfast-witness forget" while the module runs on one node',
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw damaged
    throw thrown
  }
  if (typeof value !== 'object' || value === null || !('grants' in value)) throw damaged
  if (!('format' in value) || value.format !== 1 || !Array.isArray(value.grants)) throw damaged
  const grants: readonly unknown[] = value.grants
  if (grants.length === 0 || !grants.every(isGrant)) throw damaged
  return grants
}

function isGrant(value: unknown): value is Grant {
  if (typeof value !== 'object' || value === null) return false
  if (!('generation' in value) || !Number.isSafeInteger(value.generation)) return false
  return 'node' in value && typeof value.node === 'string'
}
