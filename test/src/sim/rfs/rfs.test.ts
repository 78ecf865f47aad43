/** The rfs machine through its standard sweep. Guards G5, and G1 where replication decides. */
import { testMachine } from '../machine.fixture.js'
import { rfsMachine } from './index.js'

testMachine(rfsMachine)
