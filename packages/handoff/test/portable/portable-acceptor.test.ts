// The portable door, held to the contract.

import { suite } from '../../../../test/suite.ts'
import { portableTransport } from '../../src/index.ts'
import { acceptorContract } from '../acceptor/acceptor-contract.ts'

const test = suite('portable: door contract')

acceptorContract(test, portableTransport())

test.run()
