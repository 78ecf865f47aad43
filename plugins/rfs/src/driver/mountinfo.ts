/** Reads `/proc/<pid>/mountinfo` and recognises what a dead data plane left behind. Pure. */
import { isBeneath } from './settings.js'

export interface Mount {
  readonly id: number
  readonly parent: number
  /** `major:minor`. */
  readonly device: string
  /** The directory of the file system that is mounted. */
  readonly root: string
  readonly point: string
  readonly options: readonly string[]
  readonly type: string
  readonly superOptions: readonly string[]
}

/** Our FUSE mounts carry this type, so that they are recognised whoever made them. */
export const ourMountType = 'fuse.holdfast'

/** In the order of the kernel: a later mount on the same point covers an earlier one. Malformed lines are left out. */
export function parseMountinfo(text: string): readonly Mount[] {
  const mounts: Mount[] = []
  for (const line of text.split('\n')) {
    // Optional fields of any number end with a single dash: `36 35 98:0 /root /point rw shared:1 - ext4 /dev/sda rw`.
    const [front, back] = line.split(' - ', 2)
    const [id, parent, device, root, point, options] = (front ?? '').split(' ')
    const [type, , superOptions] = (back ?? '').split(' ')
    if (point === undefined || options === undefined || type === undefined) continue
    mounts.push({
      id: Number(id),
      parent: Number(parent),
      device: device ?? '',
      root: unescapePath(root ?? ''),
      point: unescapePath(point),
      options: options.split(','),
      type,
      superOptions: (superOptions ?? '').split(','),
    })
  }
  return mounts
}

/** The file system that `path` is on. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let best: Mount | undefined
  for (const mount of mounts) {
    const covers = isBeneath(path, mount.point)
    if (covers && (best === undefined || mount.point.length >= best.point.length)) best = mount
  }
  return best
}

/** The mounts exactly on `directory`, the visible one last. */
export function mountsOn(mounts: readonly Mount[], directory: string): readonly Mount[] {
  return mounts.filter((mount) => mount.point === directory)
}

/** Mount points inside `directory`: their content would not be replicated. */
export function mountsBeneath(mounts: readonly Mount[], directory: string): readonly Mount[] {
  return mounts.filter((mount) => mount.point !== directory && isBeneath(mount.point, directory))
}

export function isOurs(mount: Mount): boolean {
  return mount.type === ourMountType
}

/**
 * The read-only view that a follower shows on the mount point: the directory bound over itself. Anything else
 * that is mounted there belongs to the operator.
 */
export function isOurView(mounts: readonly Mount[], view: Mount): boolean {
  const below = mounts.find((mount) => mount.id === view.parent)
  if (below === undefined || below.device !== view.device) return false
  const inside = view.point === below.point ? '' : view.point.slice(below.point.length)
  const ownRoot = `${below.root === '/' ? '' : below.root}${below.point === '/' ? view.point : inside}`
  return view.options.includes('ro') && view.root === (ownRoot === '' ? '/' : ownRoot)
}

/** mountinfo writes blank, tab, newline and backslash as octal numbers. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
