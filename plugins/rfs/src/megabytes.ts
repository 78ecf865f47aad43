/** Amounts as the operator reads them. */

/** `12.3`; the unit is written by the caller. */
export function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1)
}
