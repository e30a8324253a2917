// An app that speaks HTTP/2 itself: its sessions can't move, but their clients are told to end them.

import { type ClientHttp2Session, connect } from 'node:http2'
import { nativeTransport } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { SmallPrimary } from '../support/small-primary.ts'

const test = suite('drain of HTTP/2', { timeoutMs: 30_000 })
let primary: SmallPrimary

test.before(async () => {
  primary = await new SmallPrimary(nativeTransport()).open()
})

function open(): { session: ClientHttp2Session; faults: string[] } {
  const session = connect(`http://127.0.0.1:${primary.port}`)
  const faults: string[] = []
  session.on('error', (error) => faults.push(error.message))
  return { session, faults }
}

async function ask(session: ClientHttp2Session, path: string): Promise<{ pid: string; body: string }> {
  const stream = session.request({ ':path': path })
  let [pid, body] = ['', '']
  stream.on('response', (headers) => {
    pid = String(headers['x-pid'])
  })
  stream.on('data', (part) => {
    body += part
  })
  await untilEvent(stream, 'end')
  return { pid, body }
}

test('an idle session ends at once, a busy one after its streams; no request is lost', async () => {
  const app = { http2: true, listener: 'quick' }
  const [old, young] = await Promise.all([primary.start({ app }), primary.start({ app })])
  primary.choose = () => old
  const [idle, busy] = [open(), open()]
  for (const { session } of [idle, busy]) assert.is((await ask(session, '/')).pid, old.pid)
  const held = ask(busy.session, '/hold')
  await old.untilAppMessage('held /hold')
  primary.choose = () => young
  old.drain({ last: false, spreadMs: 0 })
  await until(() => idle.session.closed)
  await until(() => busy.session.closed)
  const late = open()
  assert.is((await ask(late.session, '/')).pid, young.pid)
  assert.is(old.count('drained'), 0)
  old.sendToApp('release')
  assert.equal(await held, { pid: old.pid, body: 'ok' })
  await old.untilMessage('drained')
  for (const { session, faults } of [idle, busy, late]) {
    assert.equal(faults, [])
    session.close()
  }
  await Promise.all([old.kill(), young.kill()])
})

test.run()
