/** The words of the mirror's machine: what it knows, what it hears, what it orders. */
import type { Claim, OperatorCommand, Role, TransitionAction, Verdict } from '@holdfast/sdk'
import type { Generation, Lineage } from './lineage.js'

/** What this node knows of its own data. It is on disk before anything is built on it. */
export interface Memory extends Lineage {
  /** `current`: everything acknowledged up to `generation`. `stale`: certainly not. `partial`: a copy was begun and not finished. */
  readonly data: 'none' | 'current' | 'stale' | 'partial'
  /** The peer is, or may be, current in this generation too: alone, this node can't know whether the peer went on. */
  readonly paired: boolean
  /** It served when it was last asked to stop or died (`defaultprim="lastprim"`). */
  readonly wasPrim: boolean
  /** When both nodes were last known to have the same, by this node's clock; kept with `syncdelta` only. */
  readonly syncedMs?: number
  /** It went on in this generation by the operator's choice, and no witness has granted it yet. */
  readonly unproved?: boolean
}

/** What a node tells its peer about itself, whole, whenever it changes. */
export interface View {
  readonly role: MirrorRole
  readonly ready: boolean
  /** It waits because it was told to: it will not serve by itself. */
  readonly held: boolean
  readonly memory: Memory
}

/** The roles of a pair; `up` is of nodes that serve without one. */
export type MirrorRole = Exclude<Role, 'up'> | 'demoting'

export interface MirrorConfig {
  readonly self: string
  readonly peer: string
  /** `alone`, `lastprim`, or a node. */
  readonly defaultprim: string
  readonly failover: boolean
  readonly maxloop: number
  /** 0: restarts are not counted. */
  readonly loopIntervalMs: number
  /** What the operator chose for the case that nobody can tell a dead peer from a cut cable. */
  readonly isolation: 'alone' | 'wait'
  readonly hasWitness: boolean
  /** Time-out of the peer's silence: questions to the peer get the same. */
  readonly timeoutMs: number
  /** With a witness: whoever serves and lost its follower has the right to go on after this time, or stops. */
  readonly rightTimeoutMs: number
  /**
   * With a witness: whoever does not serve gives the other node this time before it asks for the right. Who serves
   * asks first, so that a cut cable stops no application; and when it can't ask, it has stopped by then.
   */
  readonly takeoverDelayMs: number
  /** Without a witness: an isolated node may serve data that were in sync so long ago, at most. 0: never. */
  readonly syncdeltaMs: number
}

export interface PeerFacts {
  /** Three values: before the first time-out nobody knows. */
  readonly life: 'unknown' | 'heard' | 'silent'
  readonly connected: boolean
  /** Only meaningful while connected. */
  readonly view: View | undefined
  /** This node agreed that the peer leads; it will not lead itself before the peer says more. */
  readonly agreed: boolean
}

/** The peer's way into the pair, as the serving node sees it. */
export interface Follower {
  readonly epoch: number
  /** `live`: no write is acknowledged without it. `synced`: it knows, on disk, that it is current. */
  readonly stage: 'copying' | 'live' | 'synced'
  /** The number of its generation when it asked to be let in; what it gave up may have a higher one than this node. */
  readonly number: number
  /** The data plane was told of it: whatever was ordered before that was carried out as well. */
  readonly isAdmitted?: true
}

/** Going on without a peer that writes wait for. */
export interface Degrading {
  /** `held`: to be looked at now. `waiting`: no way was open; looked at again when the time is up. */
  readonly stage: 'held' | 'outdating' | 'claiming' | 'waiting'
  readonly epoch: number
  /** Number of the timer that ends the whole of it; undefined: the operator wants the application to wait with its writes. */
  readonly limit: number | undefined
}

/** The application runs here. One variant a role, so that each narrows by itself. */
export interface ServingPlace<R extends 'alone' | 'prim'> {
  readonly role: R
  readonly stage: 'entering' | 'ready' | 'restarting'
  /** Where it came from, for `entering`. */
  readonly from: Role
  readonly epoch: number
  readonly follower: Follower | undefined
  readonly degrading: Degrading | undefined
  /** A peer that asked to join while something else was under way. */
  readonly waiting:
    { readonly epoch: number; readonly full: boolean; readonly number: number } | undefined
  /** The next copy goes to a peer whose data is not to be trusted at all. */
  readonly fullNext: boolean
  /** Number of the question for the right that it goes on without. */
  readonly proving: number | undefined
}

export type Place =
  | {
      readonly role: 'stop'
      /** Number of the time within which the node that followed may take over with this one's consent. */
      readonly handing?: number
    }
  | {
      readonly role: 'wait'
      /**
       * `entering`: the start of the module is under way. `leading`: asks the peer. `yielding`: gives the other node the
       * time to go on or to stop. `claiming`: asks the witness.
       */
      readonly stage: 'entering' | 'deciding' | 'leading' | 'yielding' | 'claiming'
      readonly epoch: number
      /** What the operator demanded beyond a plain start. */
      readonly demand: 'none' | 'prim' | 'second'
      readonly full: boolean
      /** Told to wait, and why: it takes no role before `wakeup`. */
      readonly hold: string | undefined
    }
  | ServingPlace<'alone'>
  | ServingPlace<'prim'>
  | {
      readonly role: 'second'
      readonly stage:
        'entering' | 'joining' | 'copying' | 'live' | 'leading' | 'yielding' | 'claiming'
      readonly epoch: number
      readonly full: boolean
    }
  | {
      readonly role: 'demoting'
      readonly from: 'alone' | 'prim' | 'second' | 'wait'
      readonly to: 'wait' | 'stop'
      readonly action: TransitionAction
      readonly epoch: number
      /** Writes of the application depend on this follower while it stops. */
      readonly dependsOn: number | undefined
      /** A follower that copies: when its copy is finished, writes depend on it. */
      readonly copies: number | undefined
      /** What the operator demanded and did not get yet: a failed start must not forget it. */
      readonly demand: 'none' | 'prim' | 'second'
      readonly full: boolean
      /** Told to wait meanwhile, and why. */
      readonly hold: string | undefined
      /** The application could not be stopped: nothing is handed over. */
      readonly failure: string | undefined
      /** It steps down because nobody let it go on: the other node may begin before this one has stopped. */
      readonly isRefused: boolean
    }

export type PlaceOf<R extends MirrorRole> = Extract<Place, { role: R }>

export interface State {
  readonly config: MirrorConfig
  readonly memory: Memory
  readonly place: Place
  readonly peer: PeerFacts
  /** Last number given to a question; an answer with another number is late. */
  readonly epoch: number
  /** Wall-clock times of counted restarts within the interval. */
  readonly loops: readonly number[]
  /** Why it is as it is, and what can be done: for people only. */
  readonly cause: string
  readonly hint: string | undefined
}

export type Message =
  /** `asks`: the sender does not know the receiver's view yet and wants it. */
  | { readonly kind: 'view'; readonly view: View; readonly asks: boolean }
  | { readonly kind: 'lead'; readonly epoch: number; readonly forced: boolean; readonly view: View }
  | { readonly kind: 'agreed'; readonly epoch: number }
  | { readonly kind: 'disagreed'; readonly epoch: number; readonly reason: string }
  | { readonly kind: 'outdate'; readonly epoch: number; readonly generation: Generation }
  | { readonly kind: 'outdated'; readonly epoch: number }
  | { readonly kind: 'join'; readonly epoch: number; readonly full: boolean; readonly view: View }
  | { readonly kind: 'admitted'; readonly epoch: number }
  | { readonly kind: 'synced'; readonly epoch: number; readonly lineage: Lineage }
  | { readonly kind: 'swap' }

export type Event =
  | {
      readonly kind: 'commanded'
      readonly command: OperatorCommand
      readonly full: boolean
      readonly identity: string | undefined
      /** Part of a plan: maxloop does not count it, and it replaces no demand. */
      readonly routine?: boolean
      readonly cause: string
      readonly wallMs: number
      readonly ticket: number
    }
  /** This daemon was restarted: what was under way is asked again. */
  | { readonly kind: 'adopted' }
  | { readonly kind: 'peerHeard' }
  | { readonly kind: 'peerSilent' }
  | { readonly kind: 'peerConnected' }
  | { readonly kind: 'peerDisconnected' }
  | { readonly kind: 'told'; readonly message: Message }
  | {
      readonly kind: 'entered'
      readonly epoch: number
      readonly verdict: Verdict
      readonly wallMs: number
    }
  | { readonly kind: 'left'; readonly epoch: number; readonly verdict: Verdict }
  | {
      readonly kind: 'restarted'
      readonly epoch: number
      readonly verdict: Verdict
      readonly wallMs: number
    }
  | { readonly kind: 'claimed'; readonly epoch: number; readonly claim: Claim }
  | { readonly kind: 'admitDone'; readonly epoch: number; readonly verdict: Verdict }
  | { readonly kind: 'followDone'; readonly epoch: number; readonly verdict: Verdict }
  | { readonly kind: 'copyFinished'; readonly epoch: number }
  | { readonly kind: 'linkLost'; readonly epoch: number; readonly cause: string }
  | { readonly kind: 'dataFailed'; readonly cause: string; readonly wallMs: number }
  | { readonly kind: 'timeUp'; readonly epoch: number }
  /** Some time went by; told only where `syncdelta` makes it matter. */
  | { readonly kind: 'ticked'; readonly wallMs: number }

export type Action =
  | { readonly kind: 'persist'; readonly memory: Memory }
  | { readonly kind: 'tell'; readonly message: Message }
  /** Leave `from` for `to`: answered by `left`. */
  | {
      readonly kind: 'leave'
      readonly epoch: number
      readonly from: Role
      readonly to: Role
      readonly action: TransitionAction
    }
  /** Enter `to`: answered by `entered`. */
  | {
      readonly kind: 'enter'
      readonly epoch: number
      readonly from: Role
      readonly to: Role
      readonly action: TransitionAction
    }
  /** Leave and enter between two serving roles; the application runs on. Not answered. */
  | { readonly kind: 'shift'; readonly from: Role; readonly to: Role }
  | { readonly kind: 'restart'; readonly epoch: number; readonly role: Role }
  | { readonly kind: 'claim'; readonly epoch: number; readonly generation: number }
  | { readonly kind: 'admit'; readonly epoch: number; readonly full: boolean }
  | { readonly kind: 'detach'; readonly epoch: number; readonly generation: Generation }
  /** Writes that wait are answered with an error: the application must be able to stop. */
  | { readonly kind: 'refuse' }
  | {
      readonly kind: 'follow'
      readonly epoch: number
      readonly full: boolean
      /** What was written here in this generation is nowhere else, and is given up. */
      readonly abandons: Generation | undefined
    }
  | { readonly kind: 'unfollow' }
  /** `timeUp` with this epoch after the time. Two timers; the newest of a name replaces the one before. */
  | {
      readonly kind: 'arm'
      readonly timer: 'question' | 'limit'
      readonly epoch: number
      readonly delayMs: number
    }
  | { readonly kind: 'answer'; readonly ticket: number; readonly verdict: Verdict }

export interface Step {
  readonly next: State
  readonly actions: readonly Action[]
}
