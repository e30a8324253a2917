// Drain over the portable channel: connections end, each when its client knows or has been silent.

import { portableTransport } from '@switchyard/handoff'
import { suite } from '../../../../test/suite.ts'
import { drainCases } from '../support/drain-cases.ts'

const test = suite('portable: drain', { timeoutMs: 30_000 })

drainCases(test, { transport: portableTransport(), moves: false, rounds: 4, seed: 8 })

test.run()
