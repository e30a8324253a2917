// Drain over the portable channel: a connection ends with a response, or when its client has been silent.

import { portableTransport } from '@switchyard/handoff'
import { suite } from '../../../../test/suite.ts'
import { drainCases } from '../support/drain-cases.ts'

const test = suite('portable: drain', { timeoutMs: 30_000 })

drainCases(test, { transport: portableTransport(), moves: false, rounds: 2, seed: 8 })

test.run()
