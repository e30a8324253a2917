// Runs the channel contract on the native channel.

import { suite } from '../../../../test/suite.ts'
import { nativeTransport } from '../../src/index.ts'
import { channelContract } from '../channel-contract.ts'

const test = suite('native: channel contract', { timeoutMs: 20_000 })

channelContract(test, {
  transport: nativeTransport(),
  unable: {},
})

test.run()
