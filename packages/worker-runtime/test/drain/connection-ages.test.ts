// Old connections move between two requests, or end with `Connection: close`; old websockets get a close frame.

import { nativeTransport } from '@switchyard/handoff'
import { WebSocket } from 'ws'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { Client, get } from '../support/drain-client.ts'
import { certificate } from '../support/self-signed.ts'
import { SmallPrimary, type SmallWorker } from '../support/small-primary.ts'

const test = suite('connection ages', { timeoutMs: 30_000 })
const AGE_MS = 300
let primary: SmallPrimary

test.before(async () => {
  primary = await new SmallPrimary(nativeTransport()).open()
})

async function start(app: object): Promise<SmallWorker> {
  const worker = await primary.start({ app, start: { maxConnectionAgeMs: AGE_MS } })
  primary.choose = () => worker
  return worker
}

test('an idle connection moves when it is old enough, a busy one after its response', async () => {
  const worker = await start({})
  const [idle, busy] = [new Client(primary.port), new Client(primary.port)]
  const begun = performance.now()
  await idle.ask(get('/'))
  await until(() => primary.restsOf(worker).length === 1)
  assert.ok(performance.now() - begun >= AGE_MS * 0.9)
  busy.wire.write(get('/hold'))
  await worker.untilAppMessage('held /hold')
  // A younger connection has reached its age, so the busy one has too.
  await idle.ask(get('/'))
  await until(() => primary.restsOf(worker).length === 2)
  await idle.ask(get('/'))
  await until(() => primary.restsOf(worker).length === 3)
  worker.sendToApp('release')
  assert.is((await busy.answer()).says, 'keep-alive')
  await until(() => primary.restsOf(worker).length === 4)
  assert.is((await busy.ask(get('/'))).pid, worker.pid)
  for (const { wire } of [idle, busy]) wire.destroy()
  await worker.kill()
})

test('a connection that can’t move ends with its next response', async () => {
  const worker = await start({ tls: certificate() })
  const client = new Client(primary.port, true)
  const said = new Set<string>()
  await until(async () => {
    const { says } = await client.ask(get('/'))
    said.add(says)
    return says === 'close'
  })
  assert.equal([...said], ['keep-alive', 'close'])
  await client.wire.untilEnd()
  client.wire.destroy()
  await worker.kill()
})

test('a websocket gets a close frame', async () => {
  const worker = await start({ webSockets: true })
  const begun = performance.now()
  const socket = new WebSocket(`ws://127.0.0.1:${primary.port}/`)
  const [code] = await untilEvent(socket, 'close')
  assert.is(code, 1012)
  assert.ok(performance.now() - begun >= AGE_MS * 0.9)
  await worker.kill()
})

test('without a maximum age every connection stays', async () => {
  const worker = await primary.start({ start: { maxConnectionAgeMs: 0 } })
  primary.choose = () => worker
  const client = new Client(primary.port)
  const before = primary.givenBack.length
  const end = performance.now() + AGE_MS * 2
  await until(async () => {
    await client.ask(get('/'))
    return performance.now() > end
  })
  assert.is(primary.givenBack.length, before)
  client.wire.destroy()
  await worker.kill()
})

test.run()
