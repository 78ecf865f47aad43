/** The failover machine through its standard sweep: an order follows from what was seen, in time, and from nothing else. */
import { testMachine } from '../machine.fixture.js'
import { failoverMachine } from './index.js'

testMachine(failoverMachine)
