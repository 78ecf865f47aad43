/** Packing modules and publishing them: what the command line and the build use. */
export { packModule, type Packed } from './module.js'
export { buildRegistry, publish, type Publication } from './registry.js'
