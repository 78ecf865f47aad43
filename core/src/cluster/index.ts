/** Configuration, keys and membership of the cluster. */
export type { ClusterConfig } from './config.js'
export { clusterSchema } from './schema.js'
export { type ClusterMember, type ClusterOptions, ClusterService } from './service.js'
