// How a worker gets its start data, and which processes are no workers.

import { type ChildProcess, fork } from 'node:child_process'
import type { Writable } from 'node:stream'
import { assert, suite } from '../../../test/suite.ts'
import { compiledFixture } from '../../../test/support/compiled-fixture.ts'
import { untilEvent } from '../../../test/support/until.ts'
import type { WorkerStart } from '../src/protocol.ts'
import { readStart, sendStart, startVariable } from '../src/start-pipe.ts'

const test = suite('start pipe')
const READER = new URL('fixtures/start-reader.fixture.ts', import.meta.url)

/** Starts a process with a pipe as descriptor 4. */
function start(variable: Readonly<Record<string, string>>): ChildProcess {
  return fork(compiledFixture(READER), [], {
    execArgv: [],
    env: { ...process.env, ...variable },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
  })
}

async function toldTo(child: ChildProcess): Promise<unknown> {
  const [message] = await untilEvent(child, 'message')
  return message
}

test('start data of any size arrives, and the variable is removed', async () => {
  const child = start(startVariable(4))
  const routes = Array.from({ length: 20_000 }, (_, index) => ({ name: `/a/path/of/some/length/${index}`, match: {}, pool: 'web' }))
  sendStart(child.stdio[4] as Writable, { pool: 'web', routes } as unknown as WorkerStart)
  assert.equal(await toldTo(child), { told: ['web', 20_000], variable: null })
})

test('a process with another parent is no worker, whatever variable it inherits', async () => {
  const child = start({ SWITCHYARD_WORKER: `4:${process.pid + 1}` })
  assert.equal(await toldTo(child), { told: null, variable: null })
  assert.is(readStart({ SWITCHYARD_WORKER: `4:${process.ppid}` }), undefined, 'nor is one without a channel to its parent')
  for (const text of ['', 'x', '{"pool":"web"}']) assert.is(readStart({ SWITCHYARD_WORKER: text }), undefined)
})

test('a primary of another version, and one that has exited, are errors of their own', async () => {
  const other = start(startVariable(4))
  ;(other.stdio[4] as Writable).end('{"protocol":2,"start":{}}')
  assert.match(((await toldTo(other)) as { told: string }).told, /another version of Switchyard.*'balancer upgrade'/)
  const ended = start(startVariable(4))
  ;(ended.stdio[4] as Writable).end()
  assert.match(((await toldTo(ended)) as { told: string }).told, /the primary exited before/)
})

test.run()
