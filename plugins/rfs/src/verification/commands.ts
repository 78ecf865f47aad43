/** `holdfast rfs verify`, `holdfast rfs state`: both nodes compared while the application runs, and what came of it. */
import type { Command, CommandResult } from '@holdfast/sdk'
import type { PlaneStatus } from '../driver/protocol.js'
import { codeText } from '../driver/renew.js'
import { linesOf } from './report.js'
import type { Verifications } from './verifications.js'

type Parameters = Readonly<Record<string, string | number | boolean>>

const none = { type: 'object', additionalProperties: false, properties: {} }
const verifyParameters = {
  type: 'object',
  additionalProperties: false,
  properties: {
    path: { type: 'string', description: 'only this file or directory' },
    repair: { type: 'boolean', description: 'send again what differs, as the primary has it' },
    background: { type: 'boolean', description: 'do not wait for the end' },
  },
}

export function verificationCommands(
  verifications: Verifications,
  status: () => Promise<PlaneStatus | undefined>,
  syncat: () => string | undefined,
): ReadonlyMap<string, Command> {
  return new Map<string, Command>([
    [
      'rfs verify',
      {
        summary: 'compare both nodes while the application runs',
        parameters: verifyParameters,
        positional: [],
        run: (parameters, signal) => verify(verifications, parameters, signal),
      },
    ],
    [
      'rfs verify-stop',
      {
        summary: 'end the verification that is under way',
        parameters: none,
        positional: [],
        run: async () => {
          await verifications.end()
          return { ok: true, lines: ['the verification ends'], data: {} }
        },
      },
    ],
    [
      'rfs state',
      {
        summary: 'the replication of this node: its link, and the last verification',
        parameters: none,
        positional: [],
        run: async () => stateOf(await status(), verifications, syncat()),
      },
    ],
  ])
}

async function verify(
  verifications: Verifications,
  { path, repair, background }: Parameters,
  signal: AbortSignal,
): Promise<CommandResult> {
  // Before it begins: a small tree is done before the order is answered.
  const waiting = background === true ? undefined : verifications.result(signal)
  await verifications.begin({
    by: 'operator',
    repair: repair === true,
    path: typeof path === 'string' ? path : undefined,
  })
  const verified = await waiting
  if (verified === undefined) {
    return { ok: true, lines: ['it goes on; see "holdfast rfs state"'], data: { running: true } }
  }
  return { ok: verified.outcome === 'equal', lines: linesOf(verified), data: verified }
}

async function stateOf(
  status: PlaneStatus | undefined,
  verifications: Verifications,
  syncat: string | undefined,
): Promise<CommandResult> {
  const last = await verifications.last()
  const { role = 'not running', link = 'none', counters, code } = status ?? {}
  const names = counters?.['verifiedNames']
  const running = names === undefined ? undefined : { names, bytes: counters?.['verifiedBytes'] }
  const lines = [
    `data plane: ${role}, link ${link}${status === undefined ? '' : `, ${codeText(code)}`}`,
    ...(syncat === undefined ? [] : [syncat]),
    ...(running === undefined ? [] : [`verification under way: ${running.names} names so far`]),
    ...(last === undefined ? ['never verified on this node'] : linesOf(last)),
  ]
  return { ok: true, lines, data: { role, link, code, syncat, running, verified: last } }
}
