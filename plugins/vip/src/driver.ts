/** The resource: takes the virtual addresses when this node serves, and lets go when it does not. */
import {
  type Clock,
  done,
  HoldfastError,
  isServing,
  type Log,
  refused,
  type Resource,
  type Role,
  type Store,
  type Transition,
  type Verdict,
} from '@holdfast/sdk'

import { Announcer } from './announcer.js'
import type { VipConfig } from './config.js'
import { type Answer, judge, type PlacedAddress, sameAddress, toAdd, toRemove } from './decide.js'
import { Keeper } from './keeper.js'
import { addressOf, type VipKernel } from './kernel.js'
import type { PeerInterfaces } from './neighbours.js'
import { askForOwners, pause } from './probe.js'
import { placeAll, type WantedEntry, wantedOf } from './wanted.js'

/** Addresses that this plugin put on interfaces: written before they are added, removed after they are gone. */
const heldName = 'held'
const betweenQuestionsMs = 200

interface HeldState {
  readonly addresses: readonly {
    readonly address: string
    readonly interface: string
    readonly prefix: number
  }[]
}

export interface VipTools {
  readonly kernel: VipKernel
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly peerInterfaces: Pick<PeerInterfaces, 'macs'>
}

export class VipResource implements Resource {
  readonly id = 'vip'
  readonly order = 200
  private readonly wanted: readonly WantedEntry[]
  private readonly announcer: Announcer
  private readonly keeper: Keeper
  /** What was said last about missing addresses, so that it is said once. */
  private complaint = ''

  constructor(
    private readonly config: VipConfig,
    private readonly tools: VipTools,
  ) {
    this.wanted = wantedOf(config)
    this.announcer = new Announcer(tools)
    this.keeper = new Keeper(tools)
  }

  async leave(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    if (isServing(transition.to)) return done
    return await this.asVerdict(async () => await this.letGo(signal))
  }

  async enter(transition: Transition, signal: AbortSignal): Promise<Verdict> {
    if (isServing(transition.from) && isServing(transition.to)) return done
    return await this.asVerdict(async () =>
      isServing(transition.to) ? await this.take(signal) : await this.letGo(signal),
    )
  }

  async adopt(role: Role): Promise<Verdict> {
    const { signal } = new AbortController()
    return await this.asVerdict(async () =>
      isServing(role) ? await this.take(signal) : await this.letGo(signal),
    )
  }

  /** The addresses stay: a daemon that ends leaves the application reachable. */
  async rest(): Promise<void> {
    this.announcer.stop()
    await this.keeper.stop()
  }

  /** Returns when no look at the held addresses is under way. */
  async looked(): Promise<void> {
    await this.keeper.looked()
  }

  private async take(signal: AbortSignal): Promise<Verdict> {
    const { kernel, clock, log } = this.tools
    const startMs = clock.monotonicMs()
    await this.keeper.stop()
    const interfaces = await kernel.interfaces(signal)
    const { placed, reason } = placeAll(this.wanted, interfaces)
    if (reason !== undefined) {
      return refused('E_VIP_NOWHERE', reason, 'bring the interface up, or correct <vip>')
    }
    const missing = toAdd(placed, interfaces)
    const right = missing.length === 0 ? done : await this.ensureFree(missing, signal)
    if (!right.ok) return right
    await this.writeHeld(placed)
    await this.addAndAnnounce(missing, placed, signal)
    this.announcer.start(this.repeatsFor(placed))
    this.keeper.start((until) => this.keep(placed, until))
    log.write('event', 'addressTaken', {
      text: `virtual address ${textOf(placed)} is on this node`,
      added: missing.length,
      tookMs: Math.round(clock.monotonicMs() - startMs),
    })
    return done
  }

  /** Network services that are restarted clear addresses that they do not know. */
  private async keep(held: readonly PlacedAddress[], signal: AbortSignal): Promise<void> {
    const { kernel } = this.tools
    if (kernel.shows(held)) {
      this.complain('')
      return
    }
    const interfaces = await kernel.interfaces(signal)
    const { placed, reason } = placeAll(this.wanted, interfaces)
    const missing = reason === undefined ? toAdd(placed, interfaces) : []
    if (reason !== undefined || missing.length === 0) {
      this.complain(reason ?? '')
      return
    }
    const [answer] = await askForOwners(this.tools, missing, signal)
    if (answer !== undefined) {
      this.complain(`${answer.address.text} was removed here and is in use by ${answer.mac}`)
      return
    }
    await kernel.add(missing, signal)
    for (const name of interfaceNamesOf(missing)) await this.announcer.announce(name, signal)
    this.complain(`${textOf(missing)} was removed by somebody; it is back`)
  }

  private complain(text: string): void {
    if (text !== '' && text !== this.complaint) {
      this.tools.log.write('warning', 'addressMissing', { text })
    }
    this.complaint = text
  }

  private async addAndAnnounce(
    missing: readonly PlacedAddress[],
    placed: readonly PlacedAddress[],
    signal: AbortSignal,
  ): Promise<void> {
    const { kernel } = this.tools
    try {
      await kernel.add(missing, signal)
    } catch (cause) {
      // Half of them may be there: an address without a service behind it misleads clients.
      await this.letGo()
      throw cause
    }
    for (const name of interfaceNamesOf(placed)) await this.announcer.announce(name, signal)
  }

  /** Asks until nobody answers or patience ends. README: "When somebody else has the address". */
  private async ensureFree(
    missing: readonly PlacedAddress[],
    signal: AbortSignal,
  ): Promise<Verdict> {
    if (!this.config.vip.duplicatecheck) return done
    const { clock, peerInterfaces } = this.tools
    const startMs = clock.monotonicMs()
    for (;;) {
      const answers = await askForOwners(this.tools, missing, signal)
      const waitedMs = clock.monotonicMs() - startMs
      const judgement = judge({ answers, peerMacs: peerInterfaces.macs(), waitedMs })
      switch (judgement.kind) {
        case 'free':
          return done
        case 'takeOver':
          this.logTakeOver(judgement.answer)
          return done
        case 'refuse':
          return refusedFor(judgement.answer, missing)
        case 'askAgain':
          await pause(clock, betweenQuestionsMs, signal)
      }
    }
  }

  private async letGo(signal?: AbortSignal): Promise<Verdict> {
    const { kernel, store, log } = this.tools
    await this.rest()
    const held = await this.readHeld()
    if (held.length === 0) return done
    const present = toRemove(held, await kernel.interfaces(signal))
    if (this.config.vip.tcpreset) await this.resetConnections(present, signal)
    await kernel.remove(present, signal)
    const left = toRemove(present, await kernel.interfaces(signal))
    if (left.length > 0) {
      const hint = 'remove it by hand: ip address del ADDRESS/PREFIX dev INTERFACE'
      return refused('E_VIP_REMOVE', `virtual address ${textOf(left)} is still there`, hint)
    }
    await store.volatile.remove(heldName)
    log.write('event', 'addressRemoved', {
      text: `virtual address ${textOf(held)} is no longer on this node`,
    })
    return done
  }

  private async resetConnections(
    present: readonly PlacedAddress[],
    signal?: AbortSignal,
  ): Promise<void> {
    const { kernel, log } = this.tools
    for (const { address } of present) {
      try {
        const { ended, left } = await kernel.resetConnections(address, signal)
        if (ended > 0) log.write('info', 'connectionsReset', { address: address.text, ended })
        if (left > 0) log.write('warning', 'connectionsLeft', { address: address.text, left })
      } catch (cause) {
        // Without ss a client notices at its next packet, which the new owner answers with a reset.
        if (!(cause instanceof HoldfastError)) throw cause
        log.write('warning', 'connectionsNotReset', { address: address.text, cause: cause.message })
      }
    }
  }

  private repeatsFor(placed: readonly PlacedAddress[]) {
    return interfaceNamesOf(placed).map((interfaceName) => ({
      interfaceName,
      schedule: this.wanted.find((entry) =>
        placed.some(
          (one) => one.interfaceName === interfaceName && sameAddress(one.address, entry.address),
        ),
      )?.repeat,
    }))
  }

  private logTakeOver(answer: Answer): void {
    this.tools.log.write('critical', 'addressTakenFromPeer', {
      text: `the other node still answers for ${answer.address.text} (${answer.mac}) and has no right to it any more; it is taken over`,
      address: answer.address.text,
      mac: answer.mac,
    })
  }

  private async writeHeld(placed: readonly PlacedAddress[]): Promise<void> {
    const addresses = placed.map((one) => ({
      address: one.address.text,
      interface: one.interfaceName,
      prefix: one.prefix,
    }))
    // An earlier configuration may have left others: they stay recorded until they are removed.
    const earlier = (await this.readHeld()).filter(
      (old) => !placed.some((one) => sameAddress(one.address, old.address)),
    )
    const kept = earlier.map((one) => ({
      address: one.address.text,
      interface: one.interfaceName,
      prefix: one.prefix,
    }))
    const state: HeldState = { addresses: [...addresses, ...kept] }
    await this.tools.store.volatile.write(heldName, state)
  }

  private async readHeld(): Promise<readonly PlacedAddress[]> {
    const state = await this.tools.store.volatile.read<HeldState>(heldName)
    return (state?.addresses ?? []).map((one) => ({
      address: addressOf(one.address),
      interfaceName: one.interface,
      prefix: one.prefix,
    }))
  }

  private async asVerdict(work: () => Promise<Verdict>): Promise<Verdict> {
    try {
      return await work()
    } catch (cause) {
      if (!(cause instanceof HoldfastError)) throw cause
      return refused(cause.code, cause.message, cause.hint)
    }
  }
}

/** What to do stands in the reason: that is what becomes the cause of a state, which an operator reads. */
function refusedFor({ address, mac }: Answer, missing: readonly PlacedAddress[]): Verdict {
  const own = missing.find((one) => sameAddress(one.address, address))
  const where = own === undefined ? '' : ` on the network of ${own.interfaceName}`
  const taken = `another machine${where} has the virtual address ${address.text} (${mac} answers)`
  const remedy = 'remove it there, or choose another one in <vip>'
  return refused('E_VIP_DUPLICATE', `${taken}: ${remedy}`, remedy)
}

function interfaceNamesOf(placed: readonly PlacedAddress[]): string[] {
  return [...new Set(placed.map((one) => one.interfaceName))].sort()
}

function textOf(placed: readonly PlacedAddress[]): string {
  return placed.map((one) => `${one.address.text} (${one.interfaceName})`).join(', ')
}
