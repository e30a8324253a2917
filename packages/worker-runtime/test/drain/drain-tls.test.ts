// Drain of an app that terminates TLS itself: its connections can't move over either channel.

import { nativeTransport } from '@switchyard/handoff'
import { suite } from '../../../../test/suite.ts'
import { drainCases } from '../support/drain-cases.ts'
import { certificate } from '../support/self-signed.ts'

const test = suite('TLS: drain', { timeoutMs: 30_000 })

drainCases(test, { transport: nativeTransport(), moves: false, tls: certificate(), rounds: 2, seed: 9 })

test.run()
