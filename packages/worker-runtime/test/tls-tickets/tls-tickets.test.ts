// Session tickets of workers: any worker of a pool resumes any session of the same server, no other server does, and it is known which connection got which
// ticket.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, Socket } from 'node:net'
import { connect, createServer, type SecureVersion, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { TlsTicketNames } from '@switchyard/routing'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { selfSigned } from '../../../../test/support/self-signed.ts'
import { hello } from '../../../routing/test/head/hello-bytes.ts'
import type { TlsTicketStart } from '../../src/listen-protocol.ts'
import { TlsTickets } from '../../src/tls-tickets/tls-tickets.ts'

const test = suite('TLS tickets of a worker', { timeoutMs: 20_000 })
const VERSIONS: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3']
const certificate = selfSigned()
const authority = selfSigned('authority')

function startWith(issuing = 0, secrets: readonly string[] = ['a', 'b']): TlsTicketStart {
  const keys = secrets.map((secret, number) => ({ number, secret: Buffer.alloc(32, secret).toString('base64') }))
  return { names: Buffer.alloc(16, 5).toString('base64'), issuing, keys }
}

const names = new TlsTicketNames(Buffer.alloc(16, 5))

function workerAt(slot: number | undefined, start = startWith()): TlsTickets {
  return new TlsTickets({ start, slot, remembers: true })
}

interface Opened {
  readonly server: Server
  /** The connections whose handshake is complete. */
  readonly sockets: TLSSocket[]
  /** Those that have resumed a session. */
  readonly resumed: Set<TLSSocket>
}

/** A server of this worker. */
async function open(tickets: TlsTickets, place = '127.0.0.1 443', options: TlsOptions = {}): Promise<Opened> {
  const sockets: TLSSocket[] = []
  const resumed = new Set<TLSSocket>()
  const server = createServer({ ...certificate, ...options }, (socket) => {
    tickets.onSecured(socket)
    sockets.push(socket)
    if (socket.isSessionReused()) resumed.add(socket)
    socket.on('error', () => {}).end(socket.authorized ? 'authorized' : 'not authorized')
  })
  tickets.adopt(server, place)
  server.listen(0, '127.0.0.1')
  atSuiteEnd(() => server.close())
  await once(server, 'listening')
  return { server, sockets, resumed }
}

interface Visit {
  readonly resumed: boolean
  readonly session: Buffer | undefined
  readonly text: string
}

async function visit({ server }: Opened, version: SecureVersion, session?: Buffer): Promise<Visit> {
  const { port } = server.address() as AddressInfo
  const socket = connect({
    ...{ port, servername: 'a.example', rejectUnauthorized: false, minVersion: version, maxVersion: version },
    ...(session !== undefined && { session }),
  })
  let latest = session
  let resumed = false
  let text = ''
  socket.on('session', (given: Buffer) => {
    latest = given
  })
  socket.once('secureConnect', () => {
    resumed = socket.isSessionReused()
  })
  socket.on('data', (bytes) => {
    text += bytes
  })
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('close', resolve))
  return { resumed, session: latest, text }
}

for (const version of VERSIONS) {
  test(`${version}: any worker resumes, also during a rotation in which they get the keys one by one`, async () => {
    const [one, two] = [workerAt(0), workerAt(1)]
    const [first, second] = [await open(one), await open(two)]
    let { session } = await visit(first, version)
    const check = async (what: string) => {
      for (const server of [second, first]) {
        const back = await visit(server, version, session)
        assert.is(back.resumed, true, what)
        session = back.session
      }
    }
    await check('before')
    one.update(startWith(1, ['a', 'b', 'c']))
    await check('with the new key in one worker')
    two.update(startWith(1, ['a', 'b', 'c']))
    const old = session
    await check('with the new key in both')
    // Two rotations later the key of the first tickets is unknown.
    for (const worker of [one, two]) worker.update({ ...startWith(3), keys: startWith(3, ['a', 'b', 'c', 'd', 'e']).keys.slice(2) })
    assert.is((await visit(first, version, old)).resumed, false)
  })

  test(`${version}: a session without a client certificate is not resumed where one is asked for, whatever the server`, async () => {
    const tickets = workerAt(0)
    const mutual = { requestCert: true, rejectUnauthorized: true, ca: authority.cert }
    const [open1, asks, other, place] = [
      await open(tickets),
      await open(tickets, undefined, mutual),
      await open(tickets, undefined, { ...mutual, ca: certificate.cert }),
      await open(tickets, '127.0.0.1 444'),
    ]
    const { session, text } = await visit(open1, version)
    assert.is(text, 'not authorized')
    for (const server of [asks, other, place]) assert.is((await visit(server, version, session)).resumed, false)
    for (const server of [asks, other]) assert.is((await visit(server, version, session)).text, '')
    assert.is((await visit(open1, version, session)).resumed, true)
  })

  test(`${version}: a session ends when the app changes whom it trusts`, async () => {
    const server = await open(workerAt(0))
    const { session } = await visit(server, version)
    server.server.setSecureContext(certificate)
    assert.is((await visit(server, version, session)).resumed, true)
    server.server.setSecureContext({ ...certificate, ca: authority.cert })
    assert.is((await visit(server, version, session)).resumed, false)
  })

  test(`${version}: each connection has the names of its own tickets, and they name the slot`, async () => {
    const tickets = workerAt(3)
    const server = await open(tickets)
    const before = await visit(server, version)
    await Promise.all(Array.from({ length: 20 }, (_, index) => visit(server, version, index % 2 === 0 ? before.session : undefined)))
    const seen = new Set<string>()
    for (const socket of server.sockets) {
      const own = tickets.namesToReport(socket, 9, false)
      const isLater = version === 'TLSv1.3'
      assert.is(own.length, server.resumed.has(socket) ? (isLater ? 1 : 0) : isLater ? 2 : 1)
      for (const name of own) {
        assert.equal(names.read(name), { key: 0, slot: 3, isReusable: !isLater })
        seen.add(name.toString('hex'))
      }
      assert.equal(tickets.namesToReport(socket, 9, false), [], 'they are returned once')
    }
    assert.is(seen.size, version === 'TLSv1.3' ? 2 * 11 + 10 : 11)
  })

  test(`${version}: the tickets that a connection presents are its own too`, async () => {
    const tickets = workerAt(undefined)
    const server = await open(tickets)
    await visit(server, version)
    const given = tickets.namesToReport(server.sockets[0] as TLSSocket, 1, false)
    const under = new Socket()
    tickets.onHello(under, hello({ ...(version === 'TLSv1.2' ? { ticket: given[0] as Buffer } : { identities: given }), serverName: 'a' }))
    tickets.onHello(under, Buffer.from('GET / HTTP/1.1'))
    const above = { _parent: under, getProtocol: () => 'TLSv1.3', isSessionReused: () => true } as unknown as TLSSocket
    tickets.onSecured(above)
    assert.equal(tickets.namesToReport(above, 1, false), given)
    assert.equal(tickets.namesToReport(above, 1, false), [], 'the primary knows that')
    assert.equal(tickets.namesToReport(above, 1, true), given)
    assert.equal(tickets.namesToReport(above, 2, false), [], 'what is firm stays')
    // Tickets of strangers are not reported.
    const other = new Socket()
    tickets.onHello(other, hello({ identities: [randomBytes(64)] }))
    const aboveOther = { ...above, _parent: other } as unknown as TLSSocket
    tickets.onSecured(aboveOther)
    assert.equal(tickets.namesToReport(aboveOther, 1, true), [])
    assert.equal(
      [1, 2, 3, 4, 5].map(() => tickets.wantsHome(aboveOther)),
      [true, true, true, true, false],
    )
  })
}

test('clients of both versions at the same time, and failed handshakes between them, mix up no ticket', async () => {
  const tickets = workerAt(undefined)
  const server = await open(tickets, undefined, { ALPNProtocols: ['a'] })
  const other = connect({ port: (server.server.address() as AddressInfo).port, rejectUnauthorized: true, servername: 'a.example' })
  other.on('error', () => {})
  await Promise.all(Array.from({ length: 40 }, (_, index) => visit(server, VERSIONS[index % 2] as SecureVersion)))
  for (const socket of server.sockets.filter((one) => one !== other)) {
    const own = tickets.namesToReport(socket, 9, false)
    assert.ok(
      own.length === (socket.getProtocol() === 'TLSv1.2' ? 1 : 2) || socket.getProtocol() === null,
      `${socket.getProtocol()}: ${own.length}`,
    )
    for (const name of own) assert.equal(names.read(name), { key: 0, slot: undefined, isReusable: own.length === 1 })
  }
  other.destroy()
})

test('a ticket that no worker issued is refused, and the client gets a full handshake', async () => {
  const server = await open(workerAt(0))
  const stranger = await open(
    new TlsTickets({ start: { ...startWith(), names: randomBytes(16).toString('base64') }, slot: 0, remembers: false }),
  )
  for (const version of VERSIONS) {
    const { session } = await visit(stranger, version)
    const back = await visit(server, version, session)
    assert.equal([back.resumed, back.text], [false, 'not authorized'])
  }
})

test.run()
