/** What a sweep of the lifecycle has to reach. */
export const transitions: readonly string[] = [
  ...['order accepted', 'order rejected', 'verify: accepted', 'verify: refused', 'discard'],
  ...['apply: config', 'apply: deconfig', 'outcome: committed', 'outcome: aborted'],
  ...['outcome: pending', 'settle: the coordinator does not answer'],
  ...['plugin resolved', 'plugin configured', 'plugin active', 'plugin stopped'],
  ...['plugin failed E_PLUGIN_ACTIVATE', 'plugin failed E_PLUGIN_STOP', 'plugin failed E_TIMEOUT'],
  ...['set: active', 'set: failed'],
].sort()
