/**
 * A data plane with other code than the one that is installed gives its place to one that has it: finds out what `renew.ts`
 * must know, and asks again as long as it has to wait. At most one attempt for each daemon that adopts it.
 */
import { assertNever, type Clock, type Log, type Peers } from '@holdfast/sdk'
import { InstalledCode } from './code.js'
import { successionProblem } from './kept.js'
import { type Plane, pause } from './plane.js'
import type { PlaneCode, PlaneRole, PlaneStatus } from './protocol.js'
import { codeText, isSameCode, type Renewal as Kind, renewalOf } from './renew.js'
import { askCode } from './sessions.js'

export interface RenewalParts {
  readonly clock: Clock
  readonly log: Log
  readonly peers: Peers
  readonly plane: Plane
  /** The program of a data plane that is started now. */
  readonly entry: string
  /** Of `kept.ts`. */
  readonly keptFile: string
  /** It is to be replaced at once. */
  readonly onDue: (cause: string) => void
}

/** After the daemons of both nodes were restarted they find each other within seconds; a machine takes minutes. */
const waitMaxMs = 600_000
const lookAgainMs = 1_000

export class Renewal {
  /** Changes with each adoption and whatever ends it. */
  private attempt = 0
  private readonly installed: InstalledCode
  /** For people: that it has other code, and what becomes of it. */
  line: string | undefined

  constructor(private readonly parts: RenewalParts) {
    this.installed = new InstalledCode(parts.entry)
  }

  /** After a running data plane was adopted. Never rejects for what can be expected. */
  async adopted(): Promise<void> {
    const attempt = ++this.attempt
    const { clock } = this.parts
    const deadline = clock.monotonicMs() + waitMaxMs
    for (;;) {
      const found = await this.look()
      if (this.attempt !== attempt || found === undefined) return
      const isLate = clock.monotonicMs() > deadline
      if (found.renewal.kind !== 'wait' || isLate) {
        this.carryOut(found)
        return
      }
      this.line = lineOf(found)
      await pause(clock, lookAgainMs)
      if (this.attempt !== attempt) return
    }
  }

  /** What was adopted is given up, replaced or ended. */
  end(): void {
    this.attempt++
    this.line = undefined
  }

  /** Is one that does not serve to give its place to another one, which starts on this machine? */
  async isDue({ pid, role, code }: PlaneStatus): Promise<boolean> {
    const { plane, log } = this.parts
    if (role === 'serving') return false
    const installed = await this.installed.look()
    if (installed === undefined || isSameCode(code, installed)) return false
    const problem = await plane.problem()
    if (problem === undefined) return true
    log.write('warning', 'dataPlaneOutdated', { pid, role, text: problem })
    return false
  }

  private async look(): Promise<Found | undefined> {
    const { plane, peers } = this.parts
    const [status, installed] = [await plane.status(), await this.installed.look()]
    if (status === undefined || installed === undefined) return undefined
    const { code: running, role, link } = status
    const [other] = peers.others
    const isPeerConnected = other !== undefined && peers.state(other).connected
    const asks = role === 'following' && isPeerConnected
    const peer = asks ? await askCode(peers, other) : undefined
    const facts = { running, installed, role, link, isPeerConnected, peer }
    const first = renewalOf({ ...facts, obstacle: undefined })
    // Starting a program to see whether it runs is only worth it when everything else says that it is time.
    const isDue = first.kind === 'now'
    const renewal = isDue ? renewalOf({ ...facts, obstacle: await this.obstacle(role) }) : first
    return { renewal, status, installed }
  }

  private async obstacle(role: PlaneRole): Promise<string | undefined> {
    const { plane, keptFile } = this.parts
    const kept = role === 'serving' ? await successionProblem(keptFile) : undefined
    return kept ?? (await plane.problem())
  }

  private carryOut({ renewal, status, installed }: Found): void {
    this.line = lineOf({ renewal, status, installed })
    const [runs, instead] = [codeText(status.code), codeText(installed)]
    const { pid, role } = status
    switch (renewal.kind) {
      case 'keep':
        return
      case 'now':
        this.parts.log.write('event', 'dataPlaneRenewed', { pid, role, runs, installed: instead })
        this.parts.onDue(`it ran ${runs}, and ${instead} is installed`)
        return
      case 'later':
      case 'wait':
      case 'cannot': {
        const level = renewal.kind === 'later' ? 'info' : 'warning'
        this.parts.log.write(level, 'dataPlaneOutdated', { pid, role, text: this.line })
        return
      }
      default:
        assertNever(renewal)
    }
  }
}

interface Found {
  readonly renewal: Kind
  readonly status: PlaneStatus
  readonly installed: PlaneCode
}

function lineOf({ renewal, status, installed }: Found): string | undefined {
  const has = `the data plane runs ${codeText(status.code)}, and ${codeText(installed)} is installed`
  switch (renewal.kind) {
    case 'keep':
    case 'now':
      return undefined
    case 'wait':
      return `${has}; not replaced yet: ${renewal.why}`
    case 'later':
      return `${has}; it is replaced at its next use: ${renewal.why}`
    case 'cannot':
      return `${has}; it stays until the module's next start: ${renewal.why}`
  }
}
