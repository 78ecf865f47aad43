/**
 * Numbers of modules, 1 to 64: the same name has the same number on every node, because ports derive from it.
 * A new name needs all nodes, so that two modules never get the same number.
 */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HoldfastError, type Peers } from '@holdfast/sdk'
import { expectedFailure } from '../files/failure.js'
import { readVersioned, writeVersioned } from '../files/versioned.js'
import { Serial } from '../scheduling/serial.js'
import { assertShape, type Question, questionTimeoutMs } from './protocol.js'

export const modulesMax = 64
const format = { format: 'module-identities', version: 1 }
const schema = {
  type: 'object',
  required: ['ids'],
  properties: {
    ids: {
      type: 'object',
      maxProperties: modulesMax,
      additionalProperties: { type: 'integer', minimum: 1, maximum: modulesMax },
    },
  },
}

type Ids = Readonly<Record<string, number>>

/** The smallest number that no node uses, or why there is none. Pure. */
export function chooseId(name: string, known: readonly Ids[]): number {
  const given = new Set(known.flatMap((ids) => (Object.hasOwn(ids, name) ? [ids[name]] : [])))
  const [id] = given
  if (given.size > 1) {
    throw new HoldfastError(
      'E_MODULE_ID',
      `module ${name} has different numbers on different nodes`,
      {
        hint: `uninstall it on all nodes and install it again`,
      },
    )
  }
  if (id !== undefined) return id
  const used = new Set(known.flatMap((ids) => Object.values(ids)))
  for (let free = 1; free <= modulesMax; free++) if (!used.has(free)) return free
  throw new HoldfastError(
    'E_MODULE_LIMIT',
    `the cluster has ${String(modulesMax)} modules already`,
    {
      hint: 'uninstall one that is not used',
    },
  )
}

export class Identities {
  private ids = new Map<string, number>()
  private readonly serial = new Serial('the numbers of the modules', 64)

  constructor(
    private readonly path: string,
    private readonly peers: Peers,
  ) {}

  async open(): Promise<void> {
    const body = await readVersioned(this.path, format)
    if (body === undefined) return
    assertShape(schema, body, this.path)
    this.ids = new Map(Object.entries((body as { ids: Ids }).ids)) // As checked.
  }

  of(name: string): number | undefined {
    return this.ids.get(name)
  }

  all(): Ids {
    return Object.fromEntries([...this.ids].sort())
  }

  /** Agrees with all nodes of the cluster on the number of `name`. */
  async assign(name: string): Promise<number> {
    const known: Ids[] = [this.all()]
    for (const node of this.peers.others) {
      const answer = await this.peers.call(node, { kind: 'identities' }, questionTimeoutMs)
      assertShape(schema, answer, `the answer of node ${node}`)
      known.push((answer as { ids: Ids }).ids) // As checked.
    }
    const id = chooseId(name, known)
    const isNew = this.of(name) === undefined
    try {
      await this.reserve(name, id)
      for (const node of this.peers.others) {
        const question: Question = { kind: 'reserve', name, id }
        await this.peers.call(node, question, questionTimeoutMs)
      }
    } catch (thrown) {
      if (isNew) await this.withdraw(name)
      throw thrown
    }
    return id
  }

  /** A number that not all nodes agreed on must not stay reserved: there are only 64. */
  private async withdraw(name: string): Promise<void> {
    await this.release(name)
    const question: Question = { kind: 'release', name }
    const told = this.peers.others.map((node) =>
      this.peers.call(node, question, questionTimeoutMs).catch(expectedFailure),
    )
    await Promise.all(told) // Who can't be reached keeps it; the same name gets it again.
  }

  /** Refuses what contradicts this node: somebody else was quicker. */
  async reserve(name: string, id: number): Promise<void> {
    await this.serial.run(async () => {
      const present = this.ids.get(name)
      const owner = [...this.ids].find(([other, taken]) => taken === id && other !== name)?.[0]
      if (present === id) return
      if (present !== undefined || owner !== undefined) {
        const what = owner === undefined ? `it has ${String(present)}` : `${owner} has it`
        throw new HoldfastError(
          'E_MODULE_ID',
          `module ${name} can't get the number ${String(id)}: ${what}`,
          { hint: 'two orders met; repeat this one' },
        )
      }
      await this.save(new Map(this.ids).set(name, id))
    })
  }

  async release(name: string): Promise<void> {
    await this.serial.run(async () => {
      if (!this.ids.has(name)) return
      const next = new Map(this.ids)
      next.delete(name)
      await this.save(next)
    })
  }

  private async save(next: Map<string, number>): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o750 })
    await writeVersioned(this.path, format, { ids: Object.fromEntries([...next].sort()) })
    this.ids = next
  }
}
