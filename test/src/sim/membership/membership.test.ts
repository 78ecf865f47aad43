/** The membership machine through its standard sweep. Guards G8. */
import { testMachine } from '../machine.fixture.js'
import { membershipMachine } from './index.js'

testMachine(membershipMachine)
