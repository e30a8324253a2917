// The native channel, held to the contract.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { suite } from '../../../test/suite.ts'
import { untilEvent } from '../../../test/support/until.ts'
import { NativeChannel } from '../src/index.ts'
import { channelContract } from './channel-contract.ts'

const fixture = fileURLToPath(new URL('fixtures/claimer.fixture.ts', import.meta.url))

const test = suite('native: channel contract')

channelContract(test, async (window) => {
  const channel = new NativeChannel({ onGivenBack: () => {}, onAsked: () => {}, onTurned: () => {}, onBatchEnd: () => {} }, window)
  const { ends } = channel
  const worker = fork(fixture, [String(window)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ends.socket, ends.memory],
  })
  channel.started()
  await untilEvent(worker, 'message')
  return {
    channel,
    worker,
    async close() {
      channel.close()
      if (worker.exitCode !== null || worker.signalCode !== null) return
      worker.kill('SIGKILL')
      await untilEvent(worker, 'exit')
    },
  }
})

test.run()
