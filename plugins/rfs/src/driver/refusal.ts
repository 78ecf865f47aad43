/** A verdict that is known to be a refusal, for unions with other answers. */
import type { Verdict } from '@holdfast/sdk'

export type Refusal = Extract<Verdict, { ok: false }>

export function refusal(code: string, reason: string): Refusal {
  return { ok: false, code, reason }
}
