/**
 * Feeds one device for all modules that a node serves. It is fed by the daemon's own event loop, so a daemon that stands
 * still does not feed; and not while one of the modules is neglected.
 */
import { type Cancel, type Clock, type Log, messageOf } from '@holdfast/sdk'
import { type Duty, neglect } from './decide.js'
import type { Device, Opened, Refusal } from './device.js'
import { feedingPeriodMs } from './settings.js'

export interface Holder {
  readonly log: Log
  readonly clock: Clock
  readonly timeoutSeconds: number
  duty(): Duty
}

/** The process ends in order: nothing is hung. */
export type OnOrderlyEnd = (call: () => void) => void

export class Keeper {
  readonly #open: (timeoutSeconds: number) => Opened
  readonly #holders = new Set<Holder>()
  #device: Device | undefined
  #timeoutSeconds = 0
  #cancel: Cancel = () => undefined
  #complaint: string | undefined

  constructor(open: (timeoutSeconds: number) => Opened, onOrderlyEnd: OnOrderlyEnd) {
    this.#open = open
    onOrderlyEnd(() => this.#disarm())
  }

  /** From now on the machine is reset when it neglects `holder`. The shortest time-out of all modules counts. */
  hold(holder: Holder): Refusal | undefined {
    const refusal = this.#armFor(holder)
    if (refusal !== undefined) return refusal
    this.#holders.add(holder)
    this.#beginFeeding(holder.clock)
    return undefined
  }

  /** The last one that goes switches the device off. */
  release(holder: Holder): void {
    if (!this.#holders.delete(holder) || this.#holders.size > 0) return
    this.#disarm()
    holder.log.write('event', 'watchdogDisarmed', {})
  }

  #armFor({ timeoutSeconds, log }: Holder): Refusal | undefined {
    if (this.#device !== undefined) {
      if (timeoutSeconds >= this.#timeoutSeconds) return undefined
      const reason = this.#device.shorten(timeoutSeconds)
      if (reason !== undefined) return { ok: false, code: 'E_WATCHDOG_TIMEOUT', reason }
      this.#timeoutSeconds = timeoutSeconds
      return undefined
    }
    const opened = this.#open(timeoutSeconds)
    if (!opened.ok) return opened
    this.#device = opened.device
    this.#timeoutSeconds = timeoutSeconds
    const { identity } = opened.device
    const text = `the watchdog ${identity} resets this machine after ${String(timeoutSeconds)} s without a decision`
    log.write('event', 'watchdogArmed', { text, identity, timeoutSeconds })
    return undefined
  }

  #beginFeeding(clock: Clock): void {
    this.#cancel()
    this.#feed(clock)
    this.#cancel = clock.every(feedingPeriodMs(this.#timeoutSeconds), () => this.#feed(clock))
  }

  #feed(clock: Clock): void {
    const complaint = neglect(
      [...this.#holders].map((holder) => holder.duty()),
      clock.monotonicMs(),
    )
    if (complaint !== undefined) {
      this.#complain(`${complaint}: the watchdog is not fed, the machine will be reset`)
      return
    }
    try {
      this.#device?.feed()
      this.#complaint = undefined
    } catch (thrown) {
      // The device alone decides what follows: if it is really not fed, it resets the machine.
      this.#complain(`the watchdog can't be fed: ${messageOf(thrown)}`)
    }
  }

  #complain(text: string): void {
    if (this.#complaint === text) return
    const isFirst = this.#complaint === undefined
    this.#complaint = text
    if (!isFirst) return
    for (const { log } of this.#holders) log.write('critical', 'watchdogNotFed', { text })
  }

  #disarm(): void {
    this.#cancel()
    this.#device?.disarm()
    this.#device = undefined
  }
}
