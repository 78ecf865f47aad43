/** Is who asks in a group? The kernel tells the first group of each caller with its request, not the others. */
import { readFileSync } from 'node:fs'
import type { Request } from '../fuse/request.js'

/** A caller that is gone, or can't be seen from here, is in no other group: then a right is taken rather than left. */
export function isInGroup(request: Request, gid: number): boolean {
  if (request.gid === gid) return true
  return groupsOf(request.pid).includes(String(gid))
}

function groupsOf(pid: number): readonly string[] {
  try {
    const line = /^Groups:(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return line?.[1]?.trim().split(' ') ?? []
  } catch (error) {
    if (error instanceof Error && 'code' in error) return []
    throw error
  }
}
