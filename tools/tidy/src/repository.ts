/** Reads the repository from disk: its packages, its TypeScript sources, its other texts. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Package {
  /** `core`, `plugins/vip`. */
  readonly path: string
  /** Names of packages that its package.json allows to import. */
  readonly dependencies: readonly string[]
}

export interface TextFile {
  readonly path: string
  readonly text: string
}

export interface Repository {
  readonly packages: readonly Package[]
  /** `.ts` files below a package's `src`. */
  readonly sources: readonly TextFile[]
  /** Everything else that people read: documents, configuration, scripts. */
  readonly texts: readonly TextFile[]
  readonly pluginIds: readonly string[]
}

const notOurs = new Set(['node_modules', 'dist', '.git', 'coverage', 'package-lock.json'])
const textEndings = /\.(md|json|js|sh|xml|service|yml|txt)$/
const depthMax = 12

export function readRepository(root: string): Repository {
  const paths = walk(root, '', 0)
  const read = (path: string): TextFile => ({ path, text: readFileSync(join(root, path), 'utf8') })
  const packages = paths
    .filter((path) => /^(sdk|core|test|plugins\/[^/]+|tools\/[^/]+)\/package\.json$/.test(path))
    .map((path) => packageOf(read(path)))
  const manifests = paths.filter((path) => /^plugins\/[^/]+\/plugin\.json$/.test(path))
  return {
    packages,
    sources: paths.filter((path) => /\/src\/.*\.ts$/.test(path)).map(read),
    texts: paths.filter((path) => textEndings.test(path)).map(read),
    pluginIds: manifests.map((path) => path.split('/')[1] ?? ''),
  }
}

function walk(root: string, folder: string, depth: number): string[] {
  if (depth > depthMax) return []
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !notOurs.has(entry.name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) return walk(root, path, depth + 1)
      return entry.isFile() ? [path] : []
    })
    .sort()
}

function packageOf({ path, text }: TextFile): Package {
  const parsed: unknown = JSON.parse(text)
  const names = ['dependencies', 'peerDependencies'].flatMap((key) => keysAt(parsed, key))
  return { path: path.replace(/\/package\.json$/, ''), dependencies: names }
}

function keysAt(value: unknown, key: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  const found = Object.entries(value).find(([name]) => name === key)?.[1] as unknown // From JSON.
  return typeof found === 'object' && found !== null ? Object.keys(found) : []
}

/** The list of what was over a limit when the limit came: it may only shrink. */
export interface Ratchet {
  readonly [rule: string]: Readonly<Record<string, number>>
}

export function readRatchet(path: string): Ratchet {
  if (!existsSync(path)) return {}
  const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
  return parsed as Ratchet // Our own file, beside this program.
}
