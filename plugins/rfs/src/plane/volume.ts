/** One replicated directory: its tree beneath the mount, its nodes, and while it is served its FUSE descriptor. */
import { realpathSync } from 'node:fs'
import { HoldfastError } from '@holdfast/sdk'
import { AT, O, close, cstring, errnoName, fstatfs, openat } from './libc.js'
import type { Kept } from '../driver/kept.js'
import { Promptness } from './promptness.js'
import { RecoveredNames } from './recovered.js'
import { StatBuffer } from './stat.js'
import type { Descriptors } from './descriptors.js'
import { NodeTable, type Node } from './nodes.js'

/** The type of a FUSE mount, as statfs tells it. */
export const FUSE_MAGIC = 0x65735546

export class Volume {
  readonly table: NodeTable
  /** -1: not mounted. */
  fuse = -1
  /** The file system beneath can say that a read would have to wait for the disk. */
  canReadNoWait = true
  /** Of its disk. */
  readonly syncing = new Promptness()

  private constructor(
    readonly index: number,
    readonly directory: string,
    /** The directory as the kernel names it in its table of mounts: without symbolic links. */
    readonly point: string,
    readonly root: number,
    readonly device: number,
    descriptors: Descriptors,
    onRemoved: (volume: Volume, node: Node) => void,
  ) {
    this.table = new NodeTable(index, root, descriptors, (node) => {
      onRemoved(this, node)
    })
  }

  /** Opens the directory as it is now: before anything is mounted over it. Throws E_RFS_ROOT. */
  static open(
    index: number,
    directory: string,
    descriptors: Descriptors,
    onRemoved: (volume: Volume, node: Node) => void = () => undefined,
  ): Volume {
    const root = openat(AT.FDCWD, cstring(Buffer.from(directory)), O.DIRECTORY | O.CLOEXEC, 0)
    const stat = new StatBuffer()
    const failed = root < 0 ? root : stat.ofDescriptor(root)
    if (failed < 0) {
      const reason = `${directory} can't be opened: ${errnoName(failed)}`
      throw new HoldfastError('E_RFS_ROOT', reason, {
        hint: 'A replicated directory must exist on both nodes.',
      })
    }
    const statfs = Buffer.alloc(120)
    if (fstatfs(root, statfs) === 0 && statfs.readUInt32LE(0) === FUSE_MAGIC) {
      close(root)
      throw new HoldfastError('E_RFS_ROOT', `something is mounted on ${directory} already`, {
        hint: 'A mount that an earlier data plane left behind must be unmounted first.',
      })
    }
    return new Volume(
      index,
      directory,
      realpathSync(directory),
      root,
      stat.device,
      descriptors,
      onRemoved,
    )
  }

  /** Goes on with the mount and the root of a data plane that died. Throws E_RFS_ROOT. */
  static inherited(
    { index, directory, point }: Kept['volumes'][number],
    { root, fuse }: { readonly root: number; readonly fuse: number },
    descriptors: Descriptors,
    onRemoved: (volume: Volume, node: Node) => void,
  ): Volume {
    const stat = new StatBuffer()
    const failed = stat.ofDescriptor(root)
    if (failed < 0) {
      throw new HoldfastError('E_RFS_ROOT', `${directory} is gone: ${errnoName(failed)}`)
    }
    const volume = new Volume(index, directory, point, root, stat.device, descriptors, onRemoved)
    volume.fuse = fuse
    volume.table.inherit(new RecoveredNames(root))
    return volume
  }

  /** The same directory, of which no inode is known yet. This one is of no use any more. */
  renewed(): Volume {
    this.table.clear()
    const { index, directory, point, root, device, table } = this
    const { descriptors } = table
    return new Volume(index, directory, point, root, device, descriptors, () => undefined)
  }

  close(): void {
    this.table.clear()
    close(this.root)
  }
}
