/** For tests: directories that go, servers that end, and refusals that are values. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '@holdfast/sdk'
import type { ExecutionContext } from 'ava'

export async function directoryOf(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-registry-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

export async function refusal(work: Promise<unknown>): Promise<HoldfastError> {
  const outcome = await work.catch((thrown: unknown) => thrown)
  if (outcome instanceof HoldfastError) return outcome
  throw new Error(`no refusal: ${String(outcome)}`)
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

export async function serverOf(t: ExecutionContext, answer: Answer): Promise<URL> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // It listens on TCP.
  return new URL(`http://127.0.0.1:${port}/`)
}
