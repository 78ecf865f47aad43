/** A node for tests: the real API on a real socket, with a control that only remembers. */
export { ask, frames, type Reply, until } from './client.js'
export { FakeControl, moduleStateOf } from './fake-control.js'
export { type FakeNode, startFakeNodes } from './fake-nodes.js'
export { one, pair } from './given.js'
