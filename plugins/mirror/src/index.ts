/** The mirror topology: two nodes, one of them runs the application, the other has its data. */
export { initialState, nothingKnown, step } from './decide/decide.js'
export { formatGeneration } from './decide/lineage.js'
export type {
  Action,
  Event,
  Memory,
  Message,
  MirrorConfig,
  Place,
  State,
  Step,
  View,
} from './decide/types.js'
