// The native door, held to the contract.

import { suite } from '../../../test/suite.ts'
import { nativeTransport } from '../src/index.ts'
import { doorContract } from './door-contract.ts'

const test = suite('native: door contract')

doorContract(test, nativeTransport())

test.run()
