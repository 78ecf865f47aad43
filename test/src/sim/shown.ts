/** A machine's state as the operator sees it: role and colour. */
import type { State } from '@holdfast/plugin-mirror'

export interface Shown {
  readonly role: string
  readonly sub: 'NotReady' | 'Transient' | 'Ready'
}

export function shownOf({ place, hint }: State): Shown {
  switch (place.role) {
    case 'stop':
      return { role: 'STOP', sub: 'NotReady' }
    case 'wait':
      return { role: 'WAIT', sub: hint === undefined ? 'Transient' : 'NotReady' }
    case 'demoting':
      return { role: 'WAIT', sub: place.failure === undefined ? 'Transient' : 'NotReady' }
    case 'second':
      return { role: 'SECOND', sub: place.stage === 'live' ? 'Ready' : 'Transient' }
    case 'alone':
    case 'prim': {
      const isReady = place.stage === 'ready' && place.degrading === undefined
      return { role: place.role.toUpperCase(), sub: isReady ? 'Ready' : 'Transient' }
    }
  }
}
