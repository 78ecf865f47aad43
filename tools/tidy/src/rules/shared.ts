/** Words that several rules share: packages, tests, libraries. */

/** `plugins/vip/src/x.ts` → `plugins/vip`. */
export function packageOf(path: string): string {
  const [first = '', second = ''] = path.split('/')
  return first === 'plugins' || first === 'tools' ? `${first}/${second}` : first
}

/** Tests and what only tests use: not part of the product. */
export function isTest(path: string): boolean {
  return /\.(test|fixture)\.ts$|\/testing\/|^test\//.test(path)
}

/** The package that a specifier comes from; undefined: a file of ours or of Node. */
export function libraryOf(from: string): string | undefined {
  if (from.startsWith('.') || from.startsWith('node:')) return undefined
  const parts = from.split('/')
  return from.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]
}
