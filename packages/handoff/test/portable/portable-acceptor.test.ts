// The portable door, held to the contract.

import { suite } from '../../../../test/suite.ts'
import { portableTransport } from '../../src/index.ts'
import { doorContract } from '../acceptor/acceptor-contract.ts'

const test = suite('portable: door contract')

doorContract(test, portableTransport())

test.run()
