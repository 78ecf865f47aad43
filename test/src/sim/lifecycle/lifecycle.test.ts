/** The lifecycle machine through its standard sweep. Guards G7. */
import { testMachine } from '../machine.fixture.js'
import { lifecycleMachine } from './index.js'

testMachine(lifecycleMachine)
