/** The zone journal through its standard sweep: what it says that it holds, it holds. Guards G5. */
import { testMachine } from '../machine.fixture.js'
import { journalMachine } from './index.js'

testMachine(journalMachine)
