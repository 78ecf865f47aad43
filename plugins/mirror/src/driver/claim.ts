/** Several witnesses, one answer: every one must grant; one refusal refuses; anything else is unknown. */
import type { Claim, Witness } from '@holdfast/sdk'

export async function askWitnesses(
  witnesses: readonly Witness[],
  module: string,
  generation: number,
  signal: AbortSignal,
): Promise<Claim> {
  const asked = witnesses.map(async (one) => await one.claim(module, generation, signal))
  const answers = await Promise.allSettled(asked)
  const claims = answers.map((one) => (one.status === 'fulfilled' ? one.value : 'unknown'))
  if (claims.includes('refused')) return 'refused'
  return claims.length > 0 && claims.every((claim) => claim === 'granted') ? 'granted' : 'unknown'
}
