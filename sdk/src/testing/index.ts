/** The test host: a plugin without a cluster. Nothing of it is used in production. */
export { testCertificate, type TestCertificate } from './certificate.js'
export { settled, TestClock } from './clock.js'
export {
  startPlugin,
  type TestHost,
  type TestServices,
  type TestSetting,
  testTopology,
} from './host.js'
export { TestNetwork, TestPeers } from './peers.js'
export { type LogLine, type Ran, TestExec, TestLog, TestStore } from './services.js'
export { really } from './commands.js'
export { freePort, kill } from './programs.js'
