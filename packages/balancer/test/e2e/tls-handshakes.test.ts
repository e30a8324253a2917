// The metrics of TLS handshakes: by outcome and by the reason of the failed ones, of listeners with `tls` and of apps that end TLS themselves.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect } from 'node:tls'
import { handshakeFailures } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { hello } from '../../../routing/test/head/hello-bytes.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { certificate } from './support/certificate.ts'
import { get, RawClient } from './support/raw-client.ts'
import { portOf, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { TlsClient } from './support/tls-client.ts'

const test = suite('TLS handshakes', { timeoutMs: 30_000 })
const folder = temporaryFolder()
const site = makeCertificate(folder, 'site', { names: ['site.example'] })
const authority = makeCertificate(folder, 'authority', { isAuthority: true, subject: '/CN=Clients' })
const stranger = makeCertificate(folder, 'stranger', { names: ['stranger'] })
const local = { host: '127.0.0.1', port: 0 }

let balancer: RunningBalancer
let open: number
let hasty: number
let mutual: number
let strict: number

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'plain-app.mjs',
      pools: { web: { workers: 1 } },
      listen: [
        { ...local, tls: site },
        { ...local, tls: { ...site, handshakeTimeoutMs: 300 } },
        { ...local, tls: { ...site, mutual: { ca: authority.cert } } },
        { ...local, protocol: 'tls', tls: site },
      ],
    },
  })
  ;[open, hasty, mutual, strict] = balancer.addresses.map(portOf) as [number, number, number, number]
})

test.after(async () => assert.is(await balancer.stop(), 0))

type Counts = Readonly<Record<string, number>>

async function counts(of = balancer, pool = 'web'): Promise<Counts> {
  const { handshakes } = await of.status()
  return handshakes.find((one) => one.pool === pool)?.outcomes ?? {}
}

/** Resolves when the counts have grown by just this. */
async function grown(before: Counts, by: Counts): Promise<void> {
  let now: Counts = {}
  const difference = () =>
    Object.fromEntries(
      Object.entries(now).flatMap(([name, count]) => (count === (before[name] ?? 0) ? [] : [[name, count - (before[name] ?? 0)]])),
    )
  const isAsExpected = async () => {
    now = await counts()
    return JSON.stringify(difference()) === JSON.stringify(by)
  }
  await until(isAsExpected, 10_000, JSON.stringify(by)).catch(() => assert.equal(difference(), by))
}

/** A client whose handshake fails. */
async function fails(port: number, options: ConnectionOptions = {}): Promise<void> {
  const client = await TlsClient.open(port, options).catch(() => undefined)
  // A client of TLS 1.3 learns that its certificate is refused when its own handshake is over.
  await client?.get('/').then(
    () => assert.unreachable('the handshake succeeds'),
    () => {},
  )
  client?.destroy()
}

/** A client that verifies the certificate and says so by an alert, as Node's own does not. */
function verifiesStrictly(port: number): Promise<unknown> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-verify_return_error'], { stdio: 'ignore' })
  return untilEvent(child, 'close')
}

/** Sends a real ClientHello and reads nothing. */
async function saysHello(port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1').on('error', () => {})
  const bytes = await new Promise<Buffer>((resolve) => {
    const sink = new Duplex({ read() {}, write: (chunk: Buffer) => resolve(chunk) })
    connect({ socket: sink }).on('error', () => {})
  })
  socket.write(bytes)
  return socket
}

test('full and resumed ones, also when the worker is killed', async () => {
  const before = await counts()
  const first = await TlsClient.open(open)
  await first.get('/')
  const { session } = first
  first.destroy()
  for (let turn = 0; turn < 3; turn++) {
    const again = await TlsClient.open(open, { ...(session !== undefined && { session }), maxVersion: 'TLSv1.3' })
    assert.is(again.socket.isSessionReused(), true)
    // With TLS 1.3 the server's handshake ends after the client's.
    await again.get('/')
    again.destroy()
  }
  await grown(before, { full: 1, resumed: 3 })
  const pid = (await balancer.status()).pools[0]?.workers[0]?.pid as number
  process.kill(pid, 'SIGKILL')
  await balancer.untilStatus(
    ({ pools }) => pools[0]?.ready === 1 && pools[0].workers.every((worker) => worker.pid !== pid),
    'another worker',
  )
  const second = await TlsClient.open(open)
  await second.get('/')
  second.destroy()
  await grown(before, { full: 2, resumed: 3 })
  assert.match(await balancer.metrics(), /^switchyard_tls_handshakes_total\{pool="web",outcome="resumed"\} 3$/m)
})

const failing: readonly (readonly [reason: string, client: () => Promise<unknown>])[] = [
  ['protocol-version', () => fails(open, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })],
  ['no-shared-cipher', () => fails(open, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' })],
  ['no-shared-alpn', () => fails(open, { ALPNProtocols: ['nothing/1'] })],
  ['client-certificate', () => fails(mutual, { maxVersion: 'TLSv1.2' })],
  ['client-certificate', () => fails(mutual)],
  ['client-certificate', () => fails(mutual, { cert: readFileSync(stranger.cert), key: readFileSync(stranger.key) })],
  ['certificate-refused', () => verifiesStrictly(open)],
  ['timeout', async () => untilEvent((await saysHello(hasty)).resume(), 'close')],
  [
    'hung-up',
    async () => {
      const socket = await saysHello(open)
      await untilEvent(socket, 'data')
      socket.end()
    },
  ],
  ['not-tls', () => new RawClient(strict).write(get('/')).over()],
]
test('failed ones by reason', async () => {
  const before = await counts()
  await Promise.all(failing.map(([, client]) => client()))
  const expected: Record<string, number> = {}
  for (const reason of handshakeFailures) {
    const count = failing.filter(([one]) => one === reason).length
    if (count > 0) expected[reason] = count
  }
  await grown(before, expected)
  const page = await balancer.metrics()
  assert.match(page, /^switchyard_tls_handshake_failures_total\{pool="web",reason="client-certificate"\} 3$/m)
  assert.match(page, new RegExp(`^switchyard_tls_handshakes_total\\{pool="web",outcome="failed"\\} ${failing.length}$`, 'm'))
})

test('a malformed ClientHello is one failed handshake', async () => {
  const before = await counts()
  const client = new RawClient(open).write(hello({ serverName: 'a b' }).toString('latin1'))
  await until(async () => JSON.stringify(await counts()) !== JSON.stringify(before), 10_000, 'a failed handshake')
  const now = await counts()
  assert.is(sum(now) - sum(before), 1)
  assert.equal([now.full, now.resumed], [before.full, before.resumed])
  client.destroy()
})

test('those of an app that ends TLS itself', async () => {
  const own = await startBalancer({ config: { app: 'tls-app.mjs', pools: { own: { workers: 1, env: certificate() } } } })
  await own.untilAllReady()
  const client = await TlsClient.open(own.port)
  await client.get('/')
  client.destroy()
  await fails(own.port, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA256' })
  await until(async () => sum(await counts(own, 'own')) === 2, 10_000, 'two handshakes')
  const { full, 'no-shared-cipher': noCipher } = await counts(own, 'own')
  assert.equal([full, noCipher], [1, 1])
  assert.is(await own.stop(), 0)
})

function sum(all: Counts): number {
  return Object.values(all).reduce((total, count) => total + count, 0)
}

test.run()
