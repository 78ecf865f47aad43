/** Reads orders from the control socket. The plugin is our own program, yet another version of it may be running. Pure. */
import type { PlaneOrder } from '../driver/protocol.js'
import { isPath } from './journal/path.js'

type Fields = Readonly<Record<string, unknown>>

/** A text: what is wrong with it. */
export function orderOf(line: Fields): PlaneOrder | string {
  const { order, epoch, full, session, key, generation } = line
  switch (order) {
    case 'status':
    case 'resume':
    case 'drain':
    case 'refuse':
    case 'unfollow':
    case 'endVerify':
    case 'exit':
      return { order }
    case 'unserve':
      return { order, force: line['force'] === true }
    case 'verify':
      return verifyOf(line)
    case 'serve':
      if (typeof generation !== 'string') return '"generation" must be a text'
      if (typeof line['alone'] !== 'boolean') return '"alone" must be true or false'
      return { order, generation, alone: line['alone'] }
    case 'detach':
      if (typeof generation !== 'string') return '"generation" must be a text'
      if (typeof epoch !== 'number') return '"epoch" must be a number'
      return { order, epoch, generation }
    default:
  }
  if (order !== 'admit' && order !== 'follow') return `unknown order ${JSON.stringify(order)}`
  if (typeof epoch !== 'number') return '"epoch" must be a number'
  if (typeof full !== 'boolean') return '"full" must be true or false'
  if (typeof session !== 'string' || typeof key !== 'string')
    return '"session" and "key" are missing'
  const common = { epoch, full, session, key }
  if (order === 'admit') return { order, ...common }
  const { address, port } = line
  if (typeof address !== 'string') return '"address" must be a text'
  if (typeof port !== 'number') return '"port" must be a number'
  const { aside } = line
  if (aside !== undefined && typeof aside !== 'string') return '"aside" must be a text'
  return { order, ...common, address, port, ...(aside === undefined ? {} : { aside }) }
}

function verifyOf({ volume, path, repair }: Fields): PlaneOrder | string {
  if (volume !== undefined && typeof volume !== 'number') return '"volume" must be a number'
  if (typeof path !== 'string' || !isPath(path)) return '"path" must be a path in the volume'
  const where = volume === undefined ? {} : { volume }
  return { order: 'verify', ...where, path, repair: repair === true }
}
