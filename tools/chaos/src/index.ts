/** Faults by seed on real daemons. */
export { type Campaign, runCampaign } from './campaign.js'
export { History } from './history.js'
export { type KindName, kindNames } from './kinds.js'
export { held, type Report } from './report.js'
export { jsonLine, lineOf, reportText } from './text.js'
export { type Times, timesOf } from './times.js'
export { clockCanJump } from './world.js'
