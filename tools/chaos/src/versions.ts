/** Which version an upgrade installs. Pure. */

/**
 * The newest version that any of `installed` is, or a newer one if one of `upgraded`, which are some of them, is that: what a node has
 * already is no upgrade.
 */
export function versionFor(installed: readonly number[], upgraded: readonly number[]): number {
  const newest = Math.max(...installed)
  return upgraded.includes(newest) ? newest + 1 : newest
}
