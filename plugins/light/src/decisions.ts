/** What light decides, without a driver: what the simulator runs. */
export { initialState, step } from './decide/decide.js'
export { present } from './decide/present.js'
export type { Action, Event, LightConfig, LightRole, State, Step } from './decide/types.js'
