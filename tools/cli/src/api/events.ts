/** Reads the event stream of this node. */
import type { IncomingMessage } from 'node:http'

export interface StreamEvent {
  readonly name: string
  /** Sequence of a log entry. */
  readonly id: number | undefined
  readonly content: unknown
}

/** A frame larger than this is no frame of ours. */
const frameCharactersMax = 4 << 20

/** Calls `on` for each event, in order. Resolves when the stream ends, for whatever reason. */
export function readEvents(
  response: IncomingMessage,
  on: (event: StreamEvent) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let rest = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      const frames = (rest + chunk).split('\n\n')
      rest = frames.pop() ?? ''
      if (rest.length > frameCharactersMax) response.destroy()
      for (const frame of frames) {
        const event = parseFrame(frame)
        if (event !== undefined) on(event)
      }
    })
    // A lost stream and an ended one are the same to a reader that reconnects.
    response.once('error', () => {
      resolve()
    })
    response.once('close', () => {
      resolve()
    })
  })
}

/** Undefined: a comment, the sign of life. */
function parseFrame(frame: string): StreamEvent | undefined {
  const fields = new Map<string, string>()
  for (const line of frame.split('\n')) {
    const colon = line.indexOf(': ')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2))
  }
  const name = fields.get('event')
  const content = fields.get('data')
  if (name === undefined || content === undefined) return undefined
  const id = fields.get('id')
  return { name, id: id === undefined ? undefined : Number(id), content: JSON.parse(content) }
}
