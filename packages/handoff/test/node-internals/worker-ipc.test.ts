// Tests that malformed messages on Node's IPC harm nothing in the primary.

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { assert, suite } from '../../../../test/suite.ts'
import { openDescriptors } from '../../../../test/support/descriptors.ts'
import { descriptorSender } from '../../../../test/support/sends-descriptors.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { readWorkerIpc, type WorkerIpc } from '../../src/node-internals/worker-ipc.ts'

const test = suite('worker ipc', { timeoutMs: 30_000 })
const FIXTURE = fileURLToPath(new URL('../fixtures/speaks-ipc.mjs', import.meta.url))
const program = descriptorSender()

interface Speaker {
  readonly child: ChildProcess
  readonly ipc: WorkerIpc
  readonly received: unknown[]
  readonly internal: unknown[]
}

/** Runs `body` with a process that writes in this way, and the messages that are received from it. */
async function speaking(what: string, canCopy: boolean, body: (speaker: Speaker) => Promise<void>): Promise<void> {
  const child = fork(FIXTURE, [what, program], {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, CHANNEL: '3' },
  })
  const received: unknown[] = []
  const internal: unknown[] = []
  child.on('message', (message) => received.push(message))
  const ipc = readWorkerIpc(child, { onInternal: (message) => internal.push(message) }, canCopy) as WorkerIpc
  try {
    await body({ child, ipc, received, internal })
  } finally {
    child.kill('SIGKILL')
    if (child.connected) await untilEvent(child, 'disconnect')
  }
}

const isAfter = (message: unknown) => (message as { after?: string } | null)?.after !== undefined

for (const canCopy of [true, false]) {
  const where = canCopy ? 'read from a copy' : 'read in place'
  for (const [what, faults, others] of [
    ['garbage', 2, [null, 7]],
    ['acknowledgements', 20, []],
    ['types', 0, []],
    ['endless', 1, []],
    ['handles', 0, Array.from({ length: 20 }, (_, handle) => ({ handle }))],
  ] as const) {
    test(`${where}: ${what} do no harm, and the next message arrives`, async () => {
      const before = openDescriptors()
      await speaking(what, canCopy, async ({ ipc, received }) => {
        await until(() => received.some(isAfter), 15_000, 'the message after it')
        assert.is(ipc.faults, faults)
        assert.equal(
          received.filter((message) => !isAfter(message)),
          others,
        )
      })
      await until(() => openDescriptors() <= before, 5_000, 'no descriptor left')
    })
  }

  test(`${where}: the end of the channel is noticed while the process lives`, () =>
    speaking('disconnect', canCopy, async ({ child }) => {
      await untilEvent(child, 'disconnect')
      assert.is(child.exitCode, null)
      assert.not(child.connected)
    }))

  test(`${where}: what is sent arrives, and a handle is acknowledged`, () =>
    speaking('garbage', canCopy, async ({ child, received }) => {
      await until(() => received.some(isAfter))
      await new Promise<void>((resolve, reject) => child.send({ any: 1 }, (error) => (error === null ? resolve() : reject(error))))
    }))
}

test('descriptors of files and other kinds are dropped, because Node would end the process that receives them', async () => {
  const before = openDescriptors()
  await speaking('descriptors', true, async ({ received }) => {
    await until(() => received.some(isAfter), 15_000, 'the message after it')
    assert.equal(received.slice(0, -1), [{}, {}, {}])
  })
  await until(() => openDescriptors() <= before, 5_000, 'no descriptor left')
})

test.run()
