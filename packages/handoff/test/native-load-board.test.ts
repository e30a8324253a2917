// The native load board, held to the contract.

import { suite } from '../../../test/suite.ts'
import { nativeTransport } from '../src/index.ts'
import { loadBoardContract } from './load-board-contract.ts'

const test = suite('native: load board contract')

loadBoardContract(test, nativeTransport())

test.run()
