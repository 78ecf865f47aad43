/** The light machine through its standard sweep. Guards G2 on one node, and G7. */
import { testMachine } from '../machine.fixture.js'
import { lightMachine } from './index.js'

testMachine(lightMachine)
