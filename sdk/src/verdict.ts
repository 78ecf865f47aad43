/** An expected outcome as a value: it worked, or it did not and here is why. */

export type Verdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly reason: string; readonly hint?: string }

export const done: Verdict = { ok: true }

/** A failure with a stable code (`E_<AREA>_<WHAT>`), a sentence, and optionally the next step. */
export function refused(code: string, reason: string, hint?: string): Verdict {
  return hint === undefined ? { ok: false, code, reason } : { ok: false, code, reason, hint }
}
