// Express workers, a server in Python and two old servers of websockets behind one config.

import { Agent } from 'node:http'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { type LoggedChild, spawnLogged } from '../../../../test/support/spawn.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { ask, type RunningExample, startExample } from '../../test-support/start.ts'

const test = suite('example mixed', { timeoutMs: 40_000 })
const folder = fileURLToPath(new URL('..', import.meta.url))
const children: LoggedChild[] = []
let python: LoggedChild
let example: RunningExample

function start(command: string, args: string[], env: NodeJS.ProcessEnv = {}): LoggedChild {
  const child = spawnLogged(command, args, { cwd: folder, env: { ...process.env, ...env } })
  children.push(child)
  return child
}

test.before(async () => {
  const [pythonPort, first, second] = [await freePort(), await freePort(), await freePort()]
  python = start('python3', ['-u', '-m', 'http.server', String(pythonPort), '--bind', '127.0.0.1', '--directory', 'files'])
  const rooms = [first, second].map((port) => start(process.execPath, ['room.js'], { PORT: String(port) }))
  await python.untilOutput(/Serving HTTP/, 10_000)
  for (const room of rooms) await room.untilOutput(/room on/, 10_000)
  example = await startExample('mixed', { workers: 4, env: { PYTHON_PORT: String(pythonPort), ROOM_PORTS: `${first},${second}` } })
})

test.after(async () => {
  await example.stop()
  for (const child of children) await child.stop(10_000).catch(() => {})
})

test('one kept-alive connection is served by all three', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    assert.is((await ask(example, '/', { agent })).json.hello, 'world')
    assert.match((await ask(example, '/files/hello.txt', { agent })).text, /^Served by Python/)
    assert.is((await ask(example, '/room/', { agent })).json.client, '127.0.0.1')
    assert.is((await ask(example, '/', { agent })).json.hello, 'world')
  } finally {
    agent.destroy()
  }
})

test('a ticket brings requests and websockets back to their server', async () => {
  const first = await ask(example, '/room/')
  const cookie = String(first.headers['set-cookie']).split(';', 1)[0] as string
  for (let count = 0; count < 4; count++) assert.is((await ask(example, '/room/', { headers: { cookie } })).json.room, first.json.room)
  const socket = new WebSocket(`ws://127.0.0.1:${example.port}/room/`, { headers: { cookie } })
  await untilEvent(socket, 'open')
  socket.send('hello')
  const [message] = await untilEvent(socket, 'message')
  assert.is(String(message), `room ${first.json.room}: hello`)
  socket.close()
  await untilEvent(socket, 'close')
})

test('without Python its route is answered 502, and the others do not notice', async () => {
  python.process.kill('SIGKILL')
  await python.ended
  const { status, text } = await until(async () => ask(example, '/files/hello.txt'))
  assert.equal([status, text], [502, '502 Bad Gateway (connect-failed)\n'])
  assert.is((await ask(example, '/')).status, 200)
})

test.run()
