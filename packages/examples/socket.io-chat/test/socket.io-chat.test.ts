// socket.io clients of Node, and every promise of the README. The browser is in browser.test.ts, the long form in soak/.

import { Agent } from 'node:http'
import { io, type Socket } from 'socket.io-client'
import { assert, suite } from '../../../../test/suite.ts'
import { type Front, startNginx } from '../../../../test/support/fronts.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { ask, distinct, type RunningExample, startExample } from '../../test-support/start.ts'
import { chatRun, modes } from './chat-clients.ts'

const test = suite('example socket.io-chat', { timeoutMs: 30_000 })
interface WorkerSlot {
  readonly slot: number
  readonly pid: number
}

let example: RunningExample
let nginx: Front

test.before(async () => {
  example = await startExample('socket.io-chat', { workers: 4 })
  nginx = await startNginx(example.port)
})
test.after(() => example.stop())

test('what is said in a room is heard in every worker', async () => {
  const sockets: Socket[] = []
  const workerSlots: WorkerSlot[] = []
  try {
    // One after the other: of several at once, a worker that is blocked for a moment loses all of its offers to other workers.
    for (let index = 0; index < 8; index++) {
      const socket = io(example.url, { transports: ['websocket'], forceNew: true, auth: { room: 'all', name: `guest ${index}` } })
      sockets.push(socket)
      workerSlots.push((await untilEvent(socket as never, 'welcome'))[0] as WorkerSlot)
    }
    assert.is(distinct(workerSlots.map(({ pid }) => pid)).length, 4)
    const heard = Promise.all(sockets.map((socket) => untilEvent(socket as never, 'said')))
    sockets[0]?.emit('say', 'all aboard')
    for (const [message] of await heard) assert.equal(message, { from: 'guest 0', text: 'all aboard', worker: workerSlots[0] })
  } finally {
    for (const socket of sockets) socket.close()
  }
})

for (const [name, transports] of modes) {
  test(`24 clients, 10 round trips each: ${name}`, async () => {
    const reports = await chatRun(example, { clients: 24, roundTrips: 10, transports, timeoutMs: 25_000 })
    assert.equal(distinct(reports.flatMap(({ faults }) => faults)), [])
    assert.ok(reports.every(({ roundTrips }) => roundTrips === 10))
    assert.ok(
      reports.every(({ pids }) => pids.length === 1),
      'each session stayed in its worker',
    )
    assert.ok(reports.every(({ lastTransport }) => lastTransport === transports.at(-1)))
    assert.ok(distinct(reports.flatMap(({ pids }) => pids)).length > 1, 'several workers had sessions')
  })
}

test('several sessions on one kept-alive connection: each is reached, again and again', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    const sids: string[] = []
    for (let count = 0; count < 8; count++) {
      const opened = await ask(example, '/socket.io/?EIO=4&transport=polling', { agent })
      sids.push(JSON.parse(opened.text.slice(1)).sid)
    }
    for (let turn = 0; turn < 5; turn++) {
      for (const sid of sids) {
        // A message of type 'pong', which any session may send.
        const answer = await ask(example, `/socket.io/?EIO=4&transport=polling&sid=${sid}`, { agent, method: 'POST', body: '3' })
        assert.equal([answer.status, answer.text], [200, 'ok'], `turn ${turn}`)
      }
    }
  } finally {
    agent.destroy()
  }
})

for (const [name, transports] of modes) {
  test(`behind nginx with kept-alive connections, 24 clients: ${name}`, async () => {
    const reports = await chatRun({ ...example, url: nginx.url }, { clients: 24, roundTrips: 8, transports, timeoutMs: 25_000 })
    assert.equal(distinct(reports.flatMap(({ faults }) => faults)), [])
    assert.ok(reports.every(({ roundTrips, pids }) => roundTrips === 8 && pids.length === 1))
  })
}

test('the app serves its page', async () => {
  const { status, headers, text } = await ask(example, '/?name=Ada')
  assert.is(status, 200)
  assert.is(headers['content-type'], 'text/html; charset=utf-8')
  assert.match(text, '<title>Chat on four workers</title>')
  assert.is((await ask(example, '/socket.io/socket.io.js')).status, 200)
  assert.is((await ask(example, '/nothing')).status, 404)
})

test.run()
