// Listeners that end TLS for a plain app: what clients get, what the app sees, and what the primary answers beside it.

import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { portOf, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { getOnce, TlsClient } from './support/tls-client.ts'

const test = suite('TLS listeners', { timeoutMs: 30_000 })
const folder = temporaryFolder()
const site = makeCertificate(folder, 'site', { names: ['site.example'] })
const wild = makeCertificate(folder, 'wild', { names: ['*.wild.example', 'wild.example'] })
const exact = makeCertificate(folder, 'exact', { names: ['exact.wild.example'] })
const authority = makeCertificate(folder, 'authority', { isAuthority: true, subject: '/CN=Clients' })
const known = makeCertificate(folder, 'known', { names: ['client'], issuer: authority })
const stranger = makeCertificate(folder, 'stranger', { names: ['stranger'] })
const local = { host: '127.0.0.1', port: 0 }
const modern = { ...site, preset: 'modern' as const }
const webroot = join(folder, 'webroot')
const challenges = join(webroot, '.well-known/acme-challenge')
mkdirSync(challenges, { recursive: true })
const staple = Buffer.from([0x30, 3, 0x0a, 1, 1])
writeFileSync(join(folder, 'staple.der'), staple)

interface Seen {
  readonly slot: number
  readonly url: string
  readonly encrypted: boolean
  readonly servername: string | false | null
  readonly alpn: string | false | null
  readonly version: string
  readonly authorized: boolean
  readonly resumed: boolean
  readonly peer: string | null
  readonly address: string
  readonly isOwn: boolean
}

let balancer: RunningBalancer
let plain: number
let secure: number
/** Client certificates are required, asked for, and neither; TLS 1.3 alone. */
let required: number
let asked: number
let open: number

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'plain-app.mjs',
      pools: { web: { workers: 1 } },
      health: { path: '/healthz' },
      listen: [
        { ...local, redirectToHttps: { port: 8443 }, acmeFolder: webroot },
        {
          ...local,
          tls: {
            ...site,
            ocsp: join(folder, 'staple.der'),
            certificates: [wild, exact],
            hsts: { maxAge: 3600, includeSubDomains: true },
            handshakeTimeoutMs: 500,
          },
        },
        { ...local, tls: { ...modern, mutual: { ca: authority.cert } } },
        { ...local, tls: { ...modern, mutual: { ca: authority.cert, required: false } } },
        { ...local, tls: modern },
      ],
    },
  })
  ;[plain, secure, required, asked, open] = balancer.addresses.map(portOf) as [number, number, number, number, number]
})

const names: [asked: string, got: string][] = [
  ['', 'site.example'],
  ['site.example', 'site.example'],
  ['SITE.example', 'site.example'],
  ['unknown.example', 'site.example'],
  ['wild.example', '*.wild.example'],
  ['a.wild.example', '*.wild.example'],
  ['exact.wild.example', 'exact.wild.example'],
  ['a.b.wild.example', 'site.example'],
]
for (const [servername, got] of names)
  test(`a client that asks for '${servername}' gets ${got}`, async () => {
    const client = await TlsClient.open(secure, { servername })
    assert.is(client.serverName, got)
    client.destroy()
  })

test('the app sees a TLS connection, as of a server of https', async () => {
  const client = await TlsClient.open(secure, { servername: 'site.example', ALPNProtocols: ['h2', 'http/1.1'] })
  const seen = await client.getJson<Seen>('/a?b')
  assert.equal(
    { ...seen, slot: 0 },
    {
      ...{ slot: 0, url: '/a?b', encrypted: true, servername: 'site.example', alpn: 'http/1.1', version: 'TLSv1.3' },
      ...{ authorized: false, resumed: false, peer: null, address: '127.0.0.1', isOwn: true },
    },
  )
  const again = await client.getJson<Seen>('/again')
  assert.is(again.url, '/again')
  assert.is((await client.get('/count')).body, '1', 'the app counts it')
  client.destroy()
})

test('TLS 1.2 is spoken, and nothing older', async () => {
  const old: ConnectionOptions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }
  assert.is((await getOnce<Seen>(secure, '/', old)).version, 'TLSv1.2')
  const older: ConnectionOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
  await refused(TlsClient.open(secure, older))
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  test(`a session is resumed in its worker: ${version}`, async () => {
    const options: ConnectionOptions = { minVersion: version, maxVersion: version, servername: 'a.wild.example' }
    const first = await TlsClient.open(secure, options)
    assert.is((await first.getJson<Seen>('/')).resumed, false)
    await until(() => first.session, 5_000, 'a session')
    first.destroy()
    assert.is((await getOnce<Seen>(secure, '/', { ...options, session: first.session as Buffer })).resumed, true)
  })

test('a response over TLS has Strict-Transport-Security, unless the app sets it', async () => {
  const field = async (path: string) => {
    const client = await TlsClient.open(secure)
    const { headers } = await client.get(path)
    client.destroy()
    return headers.get('strict-transport-security')
  }
  assert.is(await field('/'), 'max-age=3600; includeSubDomains')
  assert.is(await field('/list'), 'max-age=3600; includeSubDomains')
  assert.is(await field('/hsts?value=max-age%3D1'), 'max-age=1')
})

test('an upgraded connection', async () => {
  const client = await TlsClient.open(secure)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  await client.untilText('Upgrade: echo\r\n\r\n')
  client.socket.write('hello there')
  await client.untilText('hello there')
  client.destroy()
})

test('a stapled OCSP response for the certificate that has one', async () => {
  const ask = async (servername: string) => {
    const client = await TlsClient.open(secure, { servername, requestOCSP: true } as ConnectionOptions)
    client.destroy()
    return client.ocsp
  }
  // Node checks nothing of it, so any bytes will do.
  assert.equal(await ask('site.example'), staple)
  assert.is((await ask('wild.example')) ?? null, null)
})

test('a health check over TLS', async () => {
  const client = await TlsClient.open(secure)
  const { status, body } = await client.get('/healthz')
  assert.equal([status, body], [200, 'ok\n'])
  client.destroy()
})

test('plain HTTP on a TLS listener is answered 400 with a reason', async () => {
  const { status, body } = await exchange(secure, get('/'))
  assert.is(status, 400)
  assert.match(body.toString(), /speaks HTTPS/)
})

test('failed, broken and endless handshakes leave nothing behind', async () => {
  const before = await balancer.status()
  const send = (bytes: Buffer, ends: boolean) =>
    new Promise<void>((resolve) => {
      const socket = connect(secure, '127.0.0.1', () => {
        socket.write(bytes)
        if (ends) socket.end()
      })
      socket.on('error', () => {}).on('close', () => resolve())
      socket.resume()
    })
  const client = await TlsClient.open(secure)
  const hello = Buffer.from('160301002f0100002b0303', 'hex')
  const garbage = Buffer.concat([Buffer.from('16030100050100000100', 'hex'), Buffer.alloc(100, 7)])
  await Promise.all([send(garbage, false), send(garbage, true), send(hello, true), send(hello, false)])
  await refused(TlsClient.open(secure, { ALPNProtocols: ['spdy/1'] }))
  await until(async () => ((await client.get('/count')).body === '1' ? true : undefined), 5_000, 'one connection')
  client.destroy()
  assert.is((await balancer.status()).pools[0]?.workers[0]?.pid, before.pools[0]?.workers[0]?.pid)
})

const redirects: [target: string, host: string, location: string | undefined][] = [
  ['/', 'site.example', 'https://site.example:8443/'],
  ['/a%20b?c=d', 'site.example:8080', 'https://site.example:8443/a%20b?c=d'],
  ['//evil.example/', 'site.example', 'https://site.example:8443//evil.example/'],
  ['/', '[::1]:80', 'https://[::1]:8443/'],
  ['*', 'site.example', undefined],
]
for (const [target, host, location] of redirects)
  test(`redirect of ${host} ${target}`, async () => {
    const { status, headers } = await exchange(plain, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    assert.equal([status, headers.get('location')?.[0]], [location === undefined ? 400 : 308, location])
  })

test('challenges are answered from the webroot, and from nowhere else', async () => {
  writeFileSync(join(challenges, 'good-token_1'), 'good-token_1.thumb')
  writeFileSync(join(folder, 'secret'), 'secret')
  symlinkSync(join(folder, 'secret'), join(challenges, 'link'))
  writeFileSync(join(challenges, 'large'), 'x'.repeat(5_000))
  mkdirSync(join(challenges, 'folder'))
  const ask = async (token: string, method = 'GET') => {
    const client = await new RawClient(plain).connected()
    const answer = await client.write(`${method} /.well-known/acme-challenge/${token} HTTP/1.1\r\nHost: a\r\n\r\n`).answer(5_000, method)
    client.destroy()
    return [answer.status, answer.body.toString()]
  }
  assert.equal(await ask('good-token_1'), [200, 'good-token_1.thumb'])
  assert.equal(await ask('good-token_1', 'HEAD'), [200, ''])
  for (const token of ['link', 'large', 'folder', 'none', '..%2f..%2f..%2fsecret', '../../../secret', 'a/b', 'x'.repeat(200), ''])
    assert.is((await ask(token))[0], 404, token)
  assert.is((await exchange(plain, get('/.well-known/acme-challenge'))).status, 308, 'any other path is redirected')
})

test('the check shows the certificates of a config', async () => {
  const { code, out } = await runCommand(balancer, ['check', '--config', 'balancer.config.json'])
  assert.is(code, 0)
  assert.match(out, /site\.example/)
  assert.match(out, /\*\.wild\.example/)
})

test('client certificates: required, or asked for', async () => {
  const as = ({ cert, key }: { cert: string; key: string }): ConnectionOptions => ({
    cert: readFileSync(cert, 'utf8'),
    key: readFileSync(key, 'utf8'),
  })
  assert.equal(pick(await getOnce(required, '/', as(known))), [true, 'client'])
  await refused(getOnce(required, '/'))
  await refused(getOnce(required, '/', as(stranger)))
  assert.equal(pick(await getOnce(asked, '/', as(known))), [true, 'client'])
  assert.equal(pick(await getOnce(asked, '/')), [false, null])
  assert.equal(pick(await getOnce(asked, '/', as(stranger))), [false, 'stranger'])
  await refused(TlsClient.open(open, { maxVersion: 'TLSv1.2' }))

  // A session is no way around the certificate.
  const sessionOf = async (port: number, options: ConnectionOptions = {}) => {
    const client = await TlsClient.open(port, options)
    await client.get('/')
    const session = await until(() => client.session, 5_000, 'a session')
    client.destroy()
    return session
  }
  await refused(getOnce(required, '/', { session: await sessionOf(open) }))
  await refused(getOnce(required, '/', { session: await sessionOf(asked) }))
  const resumed = await getOnce<Seen>(asked, '/', { session: await sessionOf(asked) })
  assert.equal([resumed.resumed, resumed.authorized], [true, false])
  const own = await getOnce<Seen>(required, '/', { session: await sessionOf(required, as(known)) })
  assert.equal([own.resumed, own.authorized, own.peer], [true, true, 'client'])
})

test('a drain ends the connections, and the counts add up', async () => {
  const client = await TlsClient.open(secure)
  await client.get('/')
  const ended = balancer.stop()
  await client.closed()
  assert.is(await ended, 0)
})

test('an app that speaks TLS itself on such a listener is told what to do', async () => {
  const { cert, key } = site
  const failing = await startBalancer({
    config: { app: 'https-app.mjs', pools: { web: { workers: 1 } }, listen: { ...local, tls: { cert, key } } },
    env: { KEY: readFileSync(key, 'utf8'), CERT: readFileSync(cert, 'utf8') },
    wait: false,
  })
  assert.is(await failing.ended(), 3)
  assert.match(failing.child.output(), /the app's server speaks TLS itself.*create the server with http\.createServer, or remove 'tls'/)
})

test('every fault of the certificates stops the start, all at once', async () => {
  const own = temporaryFolder()
  copyFileSync(site.cert, join(own, 'a.crt'))
  copyFileSync(wild.key, join(own, 'a.key'))
  const failing = await startBalancer({
    config: {
      app: 'plain-app.mjs',
      listen: [
        { port: 0, tls: { folder: own } },
        { port: 0, tls: { cert: '/none.pem', mutual: { ca: '/none' } } },
      ],
    },
    wait: false,
  })
  assert.is(await failing.ended(), 2)
  assert.match(failing.child.output(), /has 3 faults/)
  assert.match(failing.child.output(), /listen\[0\]\.tls\.folder: .*a\.key is not the key of .*a\.crt \(site\.example\)/)
  assert.match(failing.child.output(), /listen\[1\]\.tls\.cert: there is no \/none\.pem/)
  assert.match(failing.child.output(), /listen\[1\]\.tls\.mutual\.ca: there is no \/none/)
})

test.run()

function pick({ authorized, peer }: Seen): [boolean, string | null] {
  return [authorized, peer]
}

async function refused(attempt: Promise<unknown>): Promise<void> {
  const outcome = await attempt.then(
    () => 'served',
    () => 'refused',
  )
  assert.is(outcome, 'refused')
}
