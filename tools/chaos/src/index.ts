/** Faults by seed on real daemons. */
export { type Campaign, runCampaign } from './campaign.js'
export { type KindName, kindNames } from './kinds.js'
export { held, jsonLine, type Report } from './report.js'
export { clockCanJump } from './world.js'
