// Session tickets with keys of ours, on real connections. An app that sets its own keys keeps them.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createSecureContext, createServer, type SecureVersion, type Server, type TlsOptions } from 'node:tls'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { selfSigned } from '../../../../test/support/self-signed.ts'
import { setFixedTicketKeys, type TlsTicketSource, useTicketKeys, watchTicketKeys } from '../../src/index.ts'

const test = suite('keys of TLS tickets', { timeoutMs: 20_000 })
const certificate = selfSigned()
const VERSIONS: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3']

watchTicketKeys()

/** A source with one key, which counts what it is asked. */
class OneKey implements TlsTicketSource {
  readonly name = randomBytes(16)
  readonly keys = { hmac: randomBytes(16), aes: randomBytes(16) }
  issued = 0
  found = 0
  contexts = 0

  issue() {
    this.issued++
    return { name: this.name, keys: this.keys, iv: randomBytes(16) }
  }

  find(name: Uint8Array) {
    if (!this.name.equals(name)) return undefined
    this.found++
    return { keys: this.keys, renews: true }
  }

  onNewContext() {
    this.contexts++
  }
}

async function open(options: TlsOptions = {}): Promise<Server> {
  const server = createServer({ ...certificate, ...options }, (socket) => socket.on('error', () => {}).end('hi'))
  server.listen(0, '127.0.0.1')
  atSuiteEnd(() => server.close())
  await once(server, 'listening')
  return server
}

/** Connects once. Resolves with the session that the client may resume, and whether it has resumed the given one. */
async function visit(server: Server, version: SecureVersion, session?: Buffer): Promise<{ resumed: boolean; session: Buffer }> {
  const { port } = server.address() as AddressInfo
  const socket = connect({
    ...{ port, servername: 'a.example', rejectUnauthorized: false, minVersion: version, maxVersion: version },
    ...(session !== undefined && { session }),
  })
  let latest = session
  let resumed = false
  socket.on('session', (given: Buffer) => {
    latest = given
  })
  socket.once('secureConnect', () => {
    resumed = socket.isSessionReused()
  })
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
  assert.ok(latest, 'the client has a session')
  return { resumed, session: latest as Buffer }
}

for (const version of VERSIONS) {
  test(`${version}: two servers with the same keys resume each other’s sessions, and a third does not`, async () => {
    const source = new OneKey()
    const [first, second, third] = [await open(), await open(), await open()]
    for (const [server, keys] of [
      [first, source],
      [second, source],
      [third, new OneKey()],
    ] as const)
      assert.is(useTicketKeys(server, keys), true)
    const { session, resumed } = await visit(first, version)
    assert.is(resumed, false)
    assert.is((await visit(first, version, session)).resumed, true)
    assert.is((await visit(second, version, session)).resumed, true)
    assert.is((await visit(third, version, session)).resumed, false)
    assert.is(source.found, 2)
    // Each resumed connection gets another ticket.
    assert.is(source.issued, version === 'TLSv1.2' ? 3 : 4)
  })

  test(`${version}: the keys stay through setSecureContext, and with contexts of an SNICallback`, async () => {
    const source = new OneKey()
    const context = createSecureContext(certificate)
    const server = await open({ SNICallback: (_name, done) => setImmediate(done, null, context) })
    useTicketKeys(server, source)
    const { session } = await visit(server, version)
    server.setSecureContext(certificate)
    assert.is(source.contexts, 1)
    assert.is((await visit(server, version, session)).resumed, true)
  })

  test(`${version}: an app keeps the keys that it sets, as an option, before or after`, async () => {
    const ticketKeys = randomBytes(48)
    const source = new OneKey()
    const [byOption, before, after, other] = [await open({ ticketKeys }), await open(), await open(), await open({ ticketKeys })]
    before.setTicketKeys(ticketKeys)
    for (const server of [byOption, before, after]) useTicketKeys(server, source)
    after.setTicketKeys(ticketKeys)
    const { session } = await visit(other, version)
    for (const server of [byOption, before, after]) {
      const back = await visit(server, version, session)
      assert.is(back.resumed, true)
      assert.is((await visit(other, version, (await visit(server, version)).session)).resumed, true)
    }
    assert.is(source.issued + source.found, 0)
    // Node forgets keys of setTicketKeys with the old context.
    after.setSecureContext(certificate)
    await visit(after, version, session)
    assert.ok(source.issued > 0)
  })

  test(`${version}: one fixed key, for a Node without the callback`, async () => {
    const [first, second] = [await open(), await open()]
    const { name, keys } = new OneKey()
    for (const server of [first, second]) setFixedTicketKeys(server, name, keys)
    const { session } = await visit(first, version)
    assert.is((await visit(second, version, session)).resumed, true)
    const own = randomBytes(48)
    first.setTicketKeys(own)
    setFixedTicketKeys(first, name, keys)
    assert.ok(first.getTicketKeys().equals(own), 'the app keeps its own')
  })
}

test('without the callback nothing is changed', async () => {
  const server = await open()
  const { _sharedCreds: shared } = server as unknown as { _sharedCreds: { context: object } }
  Object.defineProperty(shared.context, 'enableTicketKeyCallback', { value: undefined })
  assert.is(useTicketKeys(server, new OneKey()), false)
})

test.run()
