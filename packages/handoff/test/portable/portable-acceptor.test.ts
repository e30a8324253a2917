// Runs the acceptor contract on the portable acceptor.

import { suite } from '../../../../test/suite.ts'
import { portableTransport } from '../../src/index.ts'
import { acceptorContract } from '../acceptor/acceptor-contract.ts'

const test = suite('portable: acceptor contract')

acceptorContract(test, portableTransport())

test.run()
