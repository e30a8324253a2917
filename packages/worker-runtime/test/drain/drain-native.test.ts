// Drain over the native channel: connections move.

import { nativeTransport } from '@switchyard/handoff'
import { suite } from '../../../../test/suite.ts'
import { drainCases } from '../support/drain-cases.ts'

const test = suite('native: drain', { timeoutMs: 30_000 })

drainCases(test, { transport: nativeTransport(), moves: true, rounds: 2, seed: 7 })

test.run()
