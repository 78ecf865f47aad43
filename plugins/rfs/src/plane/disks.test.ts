/** Disks that are full, read-only or broken: on one side only, and what programs hear of their own. */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { basename, join } from 'node:path'
import ava from 'ava'
import { TestPlane, differences, join2, shell } from './plane.fixture.js'

// One after the other: each runs several processes.
const test = ava.serial

interface Disk {
  readonly point: string
  /** The file system in memory in which the disk lies: as small as it is, the disk fails where it grows beyond. */
  readonly room: string
}

/** Two planes that serve and follow; the directory of `which` is a disk of 24 MiB of its own. */
async function withDisk(
  which: 'server' | 'follower',
  run: (server: TestPlane, follower: TestPlane, disk: Disk) => Promise<void>,
  options: Parameters<typeof TestPlane.prepare>[1] = {},
  reservedPercent = 0,
): Promise<void> {
  const server = TestPlane.prepare('server', options)
  const follower = TestPlane.prepare('follower', options)
  const point = (which === 'server' ? server : follower).directory
  const room = join((which === 'server' ? server : follower).base, 'room')
  try {
    await shell(`mkdir ${room} && mount -t tmpfs -o size=64m hfrfs-disk ${room}`)
    const made = `truncate -s 24M ${room}/image && mkfs.ext4 -q -m ${reservedPercent} -O ^has_journal ${room}/image 2>&1`
    await shell(`${made} && mount -o loop,errors=remount-ro ${room}/image ${point}`)
    await server.start()
    await follower.start()
    await server.must('serve', { generation: 'g1', alone: true })
    await join2(server, follower)
    await run(server, follower, { point, room })
  } finally {
    await server.kill()
    await follower.kill()
    server.unmount()
    follower.unmount()
    await shell(`umount -l ${point}; umount -l ${room}; true`)
    await server.remove()
    await follower.remove()
  }
}

/** The follower can't do what the server did: it is out and says why, the application goes on, and after `repair` both are equal. */
async function isTakenOut(
  [server, follower]: readonly [TestPlane, TestPlane],
  work: string,
  repair: string,
): Promise<string> {
  const from = server.events.length
  const working = shell(`cd ${server.directory} && ${work}`)
  const { cause, wasLive } = await server.event('linkLost', from)
  if (wasLive !== true) throw new Error('the link was not live')
  await server.must('detach', { epoch: 2, generation: 'g2' })
  await working
  await shell(`cd ${server.directory} && echo alone > alone`)
  await follower.must('unfollow')
  await shell(repair)
  await join2(server, follower, 3)
  await server.must('drain')
  return String(cause)
}

/**
 * As an operator repairs it: checked and mounted anew, so that nothing counts but what is on the disk. A copy of it: mount
 * namespaces that others made meanwhile keep the file system of the first one alive, with its errors.
 */
function repairOf({ point, room }: Disk): string {
  const ended = `sync -f ${point}; umount ${point} && mount -o remount,size=64m ${room}`
  const checked = `cp ${room}/image ${room}/again && e2fsck -fy ${room}/again > ${room}/said 2>&1`
  return `${ended} && ${checked}; mount -o loop ${room}/again ${point}`
}

/** What ext4 does when it finds a broken structure on its disk. */
async function becomeReadOnly({ room }: Disk): Promise<void> {
  const device = await shell(`losetup -nO NAME -j ${room}/image`)
  const name = basename(device.trim())
  await shell(`echo 1 > /sys/fs/ext4/${name}/trigger_fs_error`)
}

/** From now on what is written to blocks that were never written is an error of the disk. */
async function breakDisk({ room }: Disk): Promise<void> {
  await shell(
    `sync -f ${room}/image && mount -o remount,size=$(du -B1 ${room}/image | cut -f1) ${room}`,
  )
}

test('a follower whose disk is full is taken out with the reason, and is whole again when there is room', async (t) => {
  await withDisk('follower', async (server, follower) => {
    await shell(`cd ${server.directory} && echo before > f`)
    const more = 'head -c 30000000 /dev/urandom > more && head -c 1000000 more > f && rm more'
    const cause = await isTakenOut([server, follower], more, 'true')
    t.regex(cause, /ENOSPC/)
    t.is(await differences(server.directory, follower.directory), '')
  })
})

test('when the disk of a follower has no room for a copy, both sides say so each time', async (t) => {
  await withDisk('follower', async (server, follower) => {
    await follower.must('unfollow')
    await server.event('linkLost')
    await server.must('detach', { epoch: 2, generation: 'g2' })
    await shell(`head -c 30000000 /dev/urandom > ${server.directory}/large`)
    for (let epoch = 3; epoch < 9; epoch++) {
      const from = [server.events.length, follower.events.length] as const
      await join2(server, follower, epoch, false, 'linkLost')
      for (const [index, plane] of [server, follower].entries()) {
        const { cause } = await plane.event('linkLost', from[index])
        t.regex(String(cause), /write large: ENOSPC/, `${plane.launch.node}, epoch ${epoch}`)
      }
      await follower.must('unfollow')
    }
  })
})

test('a follower whose disk became read-only is taken out with the reason, and is whole again after its repair', async (t) => {
  await withDisk('follower', async (server, follower, disk) => {
    await shell(`cd ${server.directory} && echo before > f && mkdir d`)
    await becomeReadOnly(disk)
    const work = 'echo after > f && echo new > d/g'
    const cause = await isTakenOut([server, follower], work, repairOf(disk))
    t.regex(cause, /EROFS|EIO/)
    t.is(await differences(server.directory, follower.directory), '')
  })
})

test('a follower whose disk does not take what it received is taken out at the next fsync, and lacks nothing after its repair', async (t) => {
  await withDisk('follower', async (server, follower, disk) => {
    await shell(`cd ${server.directory} && echo before > f && sync f`)
    await breakDisk(disk)
    const work = 'head -c 9000000 /dev/urandom > f && sync f'
    const cause = await isTakenOut([server, follower], work, repairOf(disk))
    t.regex(cause, /fsync .*(EIO|ENOSPC)/)
    t.is(await differences(server.directory, follower.directory), '')
  })
})

test('on a disk that became read-only programs still read what nobody had open, and are refused to write; the follower stays', async (t) => {
  await withDisk('server', async (server, follower, disk) => {
    await shell(`cd ${server.directory} && echo kept > f && mkdir d && echo also > d/g`)
    await server.must('drain')
    // Nothing is left open: served anew.
    await server.must('unserve', { force: false })
    await follower.must('unfollow')
    await server.must('serve', { generation: 'g2', alone: true })
    await join2(server, follower, 4)
    await becomeReadOnly(disk)
    t.is(await shell(`cat ${server.directory}/f ${server.directory}/d/g`), 'kept\nalso\n')
    for (const refused of ['echo more >> f', 'touch new', 'rm f', 'mv f e', 'chmod 600 f']) {
      const said = await t.throwsAsync(shell(`cd ${server.directory} && ${refused}`))
      t.regex(said.message, /Read-only file system/, refused)
    }
    t.like(await server.must('status'), { link: 'live' })
    t.is(readFileSync(join(follower.directory, 'f'), 'utf8'), 'kept\n')
  })
})

test('a program hears at fsync that its own disk does not take what it wrote', async (t) => {
  await withDisk('server', async (server, follower, disk) => {
    const fd = openSync(join(server.directory, 'f'), 'w')
    try {
      await breakDisk(disk)
      writeSync(fd, Buffer.alloc(9_000_000, 'x'))
      t.throws(
        () => {
          fsyncSync(fd)
        },
        // A broken disk says EIO; this one says what its own disk said.
        { message: /EIO|ENOSPC/ },
      )
    } finally {
      closeSync(fd)
    }
    t.like(await follower.must('status'), { link: 'live' })
  })
})

test('what the file system keeps for root is not for users, neither by writing nor by allocating, and root has it', async (t) => {
  const work = async (server: TestPlane, follower: TestPlane): Promise<void> => {
    const { directory } = server
    const user = 'setpriv --reuid 1000 --regid 1000 --clear-groups'
    await shell(`chmod 755 ${server.base} && chmod 777 ${directory}`)
    const full = await t.throwsAsync(shell(`${user} dd if=/dev/zero of=${directory}/f bs=64k`))
    t.regex(full.message, /No space left on device/)
    const allocated = `${user} fallocate -l 1M ${directory}/g`
    t.regex((await t.throwsAsync(shell(allocated))).message, /No space left on device/)
    await shell(`dd if=/dev/zero of=${directory}/h bs=64k count=32 conv=fsync`)
    // Who may is asked anew for each change.
    const again = `${user} dd if=/dev/zero of=${directory}/f bs=64k oflag=append conv=notrunc`
    t.regex((await t.throwsAsync(shell(again))).message, /No space left on device/)
    await server.must('drain')
    t.is(await differences(directory, follower.directory), '')
  }
  await withDisk('server', work, {}, 20)
})

/** What a power cut leaves on the disk: what was only in memory is lost. */
async function afterPowerCut({ room }: Disk, command: string): Promise<string> {
  const copy = `${room}/after`
  await shell(`mkdir ${copy} && cp --sparse=always ${room}/image ${room}/copy`)
  await shell(`e2fsck -fy ${room}/copy > ${room}/said 2>&1; mount -o loop ${room}/copy ${copy}`)
  try {
    return await shell(`cd ${copy} && ${command}`)
  } finally {
    await shell(`umount ${copy}`)
  }
}

for (const which of ['server', 'follower'] as const) {
  test(`fsync, msync and O_SYNC return when the disk of the ${which} has it`, async (t) => {
    await withDisk(which, async (server, _follower, disk) => {
      const script = `
import mmap, os
os.chdir('${server.directory}')
fd = os.open('synced', os.O_CREAT | os.O_RDWR); os.write(fd, b'by fsync'); os.fsync(fd)
fd = os.open('mapped', os.O_CREAT | os.O_RDWR); os.ftruncate(fd, 4096); memory = mmap.mmap(fd, 4096)
memory[0:8] = b'by msync'; memory.flush()
fd = os.open('direct', os.O_CREAT | os.O_RDWR | os.O_SYNC); os.write(fd, b'O_SYNC')
os.rename('direct', 'renamed'); os.fsync(os.open('.', os.O_DIRECTORY))
`
      await shell(`python3 -c "${script}"`)
      const found = await afterPowerCut(disk, 'cat synced && head -c 8 mapped && cat renamed')
      t.is(found, 'by fsyncby msyncO_SYNC')
    })
  })
}

test('with async="second" fsync does not wait for the disk of the follower', async (t) => {
  await withDisk(
    'follower',
    async (server, follower, disk) => {
      await shell(`cd ${server.directory} && echo before > f && sync f`)
      await breakDisk(disk)
      await shell(`cd ${server.directory} && head -c 9000000 /dev/urandom > f && sync f`)
      t.is((await server.must('status'))['link'], 'live')
      t.is(await differences(server.directory, follower.directory), '')
    },
    { async: 'second' },
  )
})
