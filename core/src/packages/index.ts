/** What tools may use of packages: reading a directory, making and reading archives, signing. */
export { keyIdOf, newKeyPair, parsePublicKey, signatureOf } from '../trust/signature.js'
export { readManifest as readPluginManifest } from '../kernel/manifest.js'
export { makeArchive, parseArchive, pluginArchive, readArchive } from './archive.js'
export { assemble, requireManifest } from './assemble.js'
export { listName, sha256Of } from './listing.js'
export { manifestOf, type ModuleManifest } from './manifest.js'
export { fileOf, type ModulePackage } from './package.js'
export { configurationName, parameterFindings } from './parameters.js'
