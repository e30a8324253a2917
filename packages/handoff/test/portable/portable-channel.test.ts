// Runs the channel contract on the portable channel.

import { suite } from '../../../../test/suite.ts'
import { portableTransport } from '../../src/index.ts'
import { channelContract } from '../channel-contract.ts'

const test = suite('portable: channel contract', { timeoutMs: 20_000 })

channelContract(test, {
  transport: portableTransport(),
  unable: { takeBackFromLiving: 'a hand-off that was sent over IPC comes back only when its worker has exited' },
})

test.run()
