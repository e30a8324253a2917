// The short form of soak/ws-echo.soak.ts.

import { WebSocket } from 'ws'
import { assert, suite } from '../../../../test/suite.ts'
import { inOneAttempt } from '../../../../test/support/attempts.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { distinct, type RunningExample, startExample } from '../../test-support/start.ts'
import { echoRun } from './echo.ts'

const test = suite('example ws-echo', { timeoutMs: 20_000 })
const seed = Number(process.env.SEED ?? 1)
let example: RunningExample

test.before(async () => {
  example = await startExample('ws-echo', { workers: 4 })
})
test.after(() => example.stop())

test('40 websockets that stay open are 10 for each worker: an open one counts as in flight', () =>
  inOneAttempt([10, 10, 10, 10], async () => {
    const sockets: WebSocket[] = []
    try {
      const counts = new Map<number, number>()
      for (let count = 0; count < 40; count++) {
        const socket = new WebSocket(`ws://127.0.0.1:${example.port}/`)
        sockets.push(socket)
        const [greeting] = await untilEvent(socket, 'message')
        const { worker } = JSON.parse(String(greeting))
        counts.set(worker, (counts.get(worker) ?? 0) + 1)
      }
      return [...counts.values()]
    } finally {
      await Promise.all(
        sockets.map((socket) => {
          socket.close()
          return untilEvent(socket, 'close')
        }),
      )
    }
  }))

test('100 clients get 20 binary messages each back, byte for byte, from four workers', async () => {
  const workers = await echoRun(example, { clients: 100, messages: 20, seed, timeoutMs: 15_000 })
  assert.is(workers.length, 100)
  assert.is(distinct(workers).length, 4)
})

test.run()
