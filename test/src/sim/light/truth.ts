/** What a module of the light topology promises, judged from outside: by what runs, and by an account of its own. */
import type { Event, LightConfig, State, Step } from '@holdfast/plugin-light/decisions'

export class Truth {
  violation: string | undefined
  /** An order to wait stands, or one to stop. */
  #isHeld = false
  #isStopped = true
  /** Wall-clock times of what interrupted the service since an operator's last order. */
  #interruptions: number[] = []
  readonly #answered = new Set<number>()

  constructor(
    readonly config: LightConfig,
    readonly runs: () => boolean,
  ) {}

  violated(what: string): void {
    this.violation ??= what
  }

  /** Whoever lost the memory of its place has lost what was ordered as well. */
  powerLost(): void {
    this.#isHeld = false
    this.#isStopped = true
    this.#interruptions = []
  }

  started(): void {
    if (this.#isStopped) this.violated('the application starts, and the module was told to stop')
    if (this.#isHeld) this.violated('the application starts, and the module was told to wait')
  }

  answered(ticket: number): void {
    if (this.#answered.has(ticket)) this.violated(`the command ${ticket} is answered twice`)
    this.#answered.add(ticket)
  }

  stepped(before: State, event: Event, { next, actions }: Step): void {
    const isAnswer = event.kind === 'entered' || event.kind === 'restarted' || event.kind === 'left'
    const isLate = isAnswer && (!('epoch' in before.place) || before.place.epoch !== event.epoch)
    if (isLate && (!isSame(before, next) || actions.length > 0)) {
      this.violated(`a late answer (${event.kind}) is not ignored`)
    }
    if (event.kind === 'commanded') this.#commanded(before, event, { next, actions })
    this.#count(before, event)
    const isOver = this.config.loopIntervalMs > 0 && this.#recent(event) > this.config.maxloop
    if (isOver && isInterruption(before, event) && !goesDown(next)) {
      this.violated('the service was interrupted more often than maxloop allows, and goes on')
    }
    const isDown =
      next.place.role === 'stop' || (next.place.role === 'wait' && next.place.stage === 'held')
    if (isDown && this.runs()) this.violated(`the application runs in ${next.place.role}`)
  }

  #commanded(before: State, event: Event & { kind: 'commanded' }, { next, actions }: Step): void {
    const answers = actions.flatMap((action) => (action.kind === 'answer' ? [action] : []))
    const [answer] = answers
    if (answer === undefined || answers.length > 1 || answer.ticket !== event.ticket) {
      this.violated(`${event.command} has ${answers.length} answers`)
      return
    }
    if (!answer.verdict.ok) {
      if (!isSame(before, next) || actions.length > 1)
        this.violated(`${event.command} is refused and done`)
      return
    }
    if (event.identity === undefined) this.#interruptions = []
    if (event.command === 'wait' && before.place.role !== 'stop') this.#isHeld = true
    if (['stop', 'forcestop'].includes(event.command)) this.#isStopped = true
    if (event.command === 'start') this.#isStopped = false
    if (['start', 'wakeup'].includes(event.command)) this.#isHeld = false
    if (goesDown(next)) this.#isHeld = false
  }

  #count(before: State, event: Event): void {
    if (isInterruption(before, event)) this.#interruptions.push(event.wallMs)
  }

  #recent(event: Event): number {
    if (!('wallMs' in event)) return 0
    const from = event.wallMs - this.config.loopIntervalMs
    return this.#interruptions.filter((at) => at > from && at <= event.wallMs).length
  }
}

function isSame(one: State, other: State): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other)
}

function goesDown({ place }: State): boolean {
  return place.role === 'stop' || (place.role === 'leaving' && place.to === 'stop')
}

/** A start that failed, an application that is gone, an order of a rule. */
function isInterruption(before: State, event: Event): event is Event & { readonly wallMs: number } {
  const { place } = before
  switch (event.kind) {
    case 'commanded': {
      const isOfRule = event.identity !== undefined && place.role === 'up'
      const isRefused =
        event.command === 'restart' && place.role === 'up' && place.stage !== 'ready'
      return isOfRule && ['restart', 'stopstart', 'wait'].includes(event.command) && !isRefused
    }
    case 'adopted':
      return !event.verdict.ok && place.role === 'up' && place.stage !== 'entering'
    case 'entered':
    case 'restarted':
      return (
        !event.verdict.ok &&
        'epoch' in place &&
        place.role !== 'leaving' &&
        place.epoch === event.epoch
      )
    case 'left':
      return false
  }
}
