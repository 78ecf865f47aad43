/** The one door to semver: versions of plugins, ranges of what they need. */
import semver from 'semver'

export function isVersion(version: string): boolean {
  return semver.valid(version) === version
}

export function isRange(range: string): boolean {
  return semver.validRange(range) !== null
}

/** A pre-release counts as its version: a plugin under test meets the range that it will meet. */
export function satisfies(version: string, range: string): boolean {
  return semver.satisfies(version, range, { includePrerelease: true })
}

/** True when the range can't be met by two majors: what promises nothing would break silently later. */
export function fixesMajor(range: string): boolean {
  if (semver.validRange(range) === null) return false
  const lowest = semver.minVersion(range)
  if (lowest === null) return false
  const major = `>=${String(lowest.major)}.0.0 <${String(lowest.major + 1)}.0.0`
  return semver.subset(range, major)
}

/** Below 0: `a` is the older one. */
export function compareVersions(a: string, b: string): number {
  return semver.compare(a, b)
}
