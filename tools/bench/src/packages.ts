/** Debian packages that a benchmark needs: installed when missing, without starting any of their services. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError, mustRun } from '@holdfast/lab'

export interface Requirement {
  readonly package: string
  isThere(): Promise<boolean>
}

export const fio: Requirement = { package: 'fio', isThere: () => hasCommand('fio') }

export const postgresql: Requirement = {
  package: 'postgresql',
  isThere: async () => (await postgresqlPrograms()) !== undefined,
}

export const glusterfs: Requirement = {
  package: 'glusterfs-server',
  isThere: async () => (await hasCommand('glusterd')) && (await hasCommand('gluster')),
}

const policyFile = '/usr/sbin/policy-rc.d'
const installTimeoutMs = 600_000

/** Installs what is missing. `tell` gets a line when that takes time. */
export async function requirePackages(
  requirements: readonly Requirement[],
  tell: (line: string) => void,
): Promise<void> {
  const missing: string[] = []
  for (const requirement of requirements) {
    if (!(await requirement.isThere())) missing.push(requirement.package)
  }
  if (missing.length === 0) return
  if (!(await hasCommand('apt-get'))) {
    throw new LabError(
      `these packages are missing and there is no apt-get to install them: ${missing.join(' ')}`,
    )
  }
  tell(`installing ${missing.join(' ')} (apt-get)`)
  await withoutServices(async () => {
    await aptGet(['update'])
    await aptGet(['install', '-y', '--no-install-recommends', ...missing])
  })
}

/** Directory of the programs of the newest PostgreSQL that is installed. */
export async function postgresqlPrograms(): Promise<string | undefined> {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return undefined
  const versions = (await readdir(root)).filter((version) =>
    ['initdb', 'postgres', 'pgbench'].every((name) => existsSync(join(root, version, 'bin', name))),
  )
  const [newest] = versions.sort((one, other) => Number(other) - Number(one))
  return newest === undefined ? undefined : join(root, newest, 'bin')
}

async function hasCommand(name: string): Promise<boolean> {
  const places = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  return Promise.resolve(places.some((place) => existsSync(join(place, name))))
}

async function aptGet(args: readonly string[]): Promise<void> {
  await mustRun('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    timeoutMs: installTimeoutMs,
  })
}

/** The machine's own services are none of our business, and a package's default database would only hold the port. */
async function withoutServices(install: () => Promise<void>): Promise<void> {
  const clusters = '/etc/postgresql-common/createcluster.conf'
  if (!existsSync(clusters)) {
    await mkdir('/etc/postgresql-common', { recursive: true })
    await writeFile(clusters, 'create_main_cluster = false\n')
  }
  if (existsSync(policyFile)) {
    await install()
    return
  }
  await writeFile(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    await install()
  } finally {
    await rm(policyFile, { force: true })
  }
}
