/** What a node is asked during a rollout, and what it says: the configuration that it has, and what it does with it. */
import { isDeepStrictEqual } from 'node:util'
import { HoldfastError, type ModuleState, type OperatorCommand, type Peers } from '@holdfast/sdk'
import { expectedFailure } from '../../files/failure.js'
import type { AppliedModule } from '../applied.js'
import {
  assertShape,
  type ModuleOrder,
  type Question,
  questionTimeoutMs,
  type RolloutCommand,
} from '../protocol.js'
import type { Standing } from './types.js'

/** Of one node, as it travels. */
export interface Report {
  readonly digest: string
  readonly plugins: Readonly<Record<string, string>>
  readonly version: string
  readonly role: ModuleState['role']
  readonly sub: ModuleState['sub']
  readonly cause: string
  readonly progress: number
  /** Empty: none. */
  readonly failure: string
}

/** A module of this node, as far as a rollout needs it. */
export interface Subject {
  readonly current: AppliedModule | undefined
  readonly failure: { readonly reason: string } | undefined
  state(): ModuleState | undefined
  /** Also of a module whose plugins failed. */
  lastRole(): string
}

export interface NodesOptions {
  readonly peers: Pick<Peers, 'self' | 'call'>
  readonly subject: (name: string) => Subject | undefined
  /** Gives an order to the module on this node. */
  readonly order: (name: string, command: OperatorCommand) => Promise<void>
}

export class RolloutNodes {
  constructor(private readonly options: NodesOptions) {}

  get self(): string {
    return this.options.peers.self
  }

  /** In the order of the module's nodes. */
  async look(order: ModuleOrder): Promise<readonly Standing[]> {
    return await Promise.all(order.nodes.map((node) => this.lookAt(node, order)))
  }

  async command(node: string, name: string, command: RolloutCommand): Promise<void> {
    if (node === this.self) {
      await this.obey(name, command)
      return
    }
    const question: Question = { kind: 'command', name, command }
    await this.options.peers.call(node, question, questionTimeoutMs)
  }

  /** What this node does when it is told. */
  async obey(name: string, command: RolloutCommand): Promise<void> {
    const role = this.options.subject(name)?.state()?.role ?? 'STOP'
    if (command === 'stopIdle' && role !== 'SECOND' && role !== 'WAIT') {
      throw new HoldfastError('E_ROLLOUT_SERVES', `it is ${role} meanwhile`)
    }
    await this.options.order(name, command === 'stopIdle' ? 'stop' : command)
  }

  /** What this node says when it is asked. */
  report(name: string): Report {
    const subject = this.options.subject(name)
    const state = subject?.state()
    const { digest = '', plugins = {}, about } = subject?.current ?? {}
    const { filesDone = 0, bytesDone = 0 } = state?.progress ?? {}
    return {
      ...{ digest, plugins, version: about?.version ?? '' },
      role: state?.role ?? roleOf(subject?.lastRole() ?? 'STOP'),
      sub: state?.sub ?? 'NotReady',
      cause: state?.cause ?? '',
      progress: filesDone + bytesDone,
      failure: subject?.failure?.reason ?? '',
    }
  }

  private async lookAt(node: string, order: ModuleOrder): Promise<Standing> {
    try {
      const { digest, plugins, failure, ...rest } = await this.ask(node, order.name)
      const hasTarget =
        digest === order.digest && isDeepStrictEqual({ ...plugins }, { ...order.plugins })
      return {
        ...{ node, isReached: true, hasTarget, ...rest },
        failure: failure === '' ? undefined : failure,
      }
    } catch (thrown) {
      const { message: cause } = expectedFailure(thrown)
      const nothing = { hasTarget: false, version: '', progress: 0, failure: undefined }
      return { node, isReached: false, ...nothing, role: 'STOP', sub: 'NotReady', cause }
    }
  }

  private async ask(node: string, name: string): Promise<Report> {
    if (node === this.self) return this.report(name)
    const question: Question = { kind: 'standing', name }
    const answer = await this.options.peers.call(node, question, questionTimeoutMs)
    assertShape(reportSchema, answer, `what ${node} says about module ${name}`)
    return answer as Report // As checked.
  }
}

const roles = ['STOP', 'WAIT', 'ALONE', 'PRIM', 'SECOND', 'UP'] as const

function roleOf(text: string): ModuleState['role'] {
  return roles.find((role) => role === text) ?? 'STOP'
}

const reportSchema = {
  type: 'object',
  required: ['digest', 'plugins', 'version', 'role', 'sub', 'cause', 'progress', 'failure'],
  properties: {
    digest: { type: 'string' },
    plugins: { type: 'object', additionalProperties: { type: 'string' } },
    version: { type: 'string' },
    role: { enum: roles },
    sub: { enum: ['NotReady', 'Transient', 'Ready'] },
    cause: { type: 'string' },
    progress: { type: 'number' },
    failure: { type: 'string' },
  },
}
