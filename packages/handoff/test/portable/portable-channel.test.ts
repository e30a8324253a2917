// The portable channel, held to the contract.

import { suite } from '../../../../test/suite.ts'
import { portableTransport } from '../../src/index.ts'
import { channelContract } from '../channel-contract.ts'

const test = suite('portable: channel contract', { timeoutMs: 20_000 })

channelContract(test, {
  transport: portableTransport(),
  unable: { takeBackFromLiving: 'what has been sent over IPC can be called back only when its reader is gone' },
})

test.run()
