// Runs the load board contract on the portable load row.

import { suite } from '../../../../test/suite.ts'
import { portableTransport } from '../../src/index.ts'
import { loadBoardContract } from '../load/load-board-contract.ts'

const test = suite('portable: load board contract')

loadBoardContract(test, portableTransport())

test.run()
