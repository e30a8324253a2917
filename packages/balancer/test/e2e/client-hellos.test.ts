// TLS that the app terminates itself: the primary routes by the ClientHello, the workers by what is inside.

import { execFile } from 'node:child_process'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect as connectTcp, createServer, type Server } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { assert, suite } from '../../../../test/suite.ts'
import { openBrowser } from '../../../../test/support/browser.ts'
import { patience } from '../../../../test/support/patience.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { extension, hello, preSharedKeys } from '../../../routing/test/head/hello-bytes.ts'
import { certificate } from './support/certificate.ts'
import { runCommand } from './support/commands.ts'
import { holdHalfHellos } from './support/half-hello-run.ts'
import { get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('routes by ClientHello', { timeoutMs: 30_000 })
const run = promisify(execFile)
const KEEP = { Connection: 'keep-alive' }
let balancer: RunningBalancer

test.before(async () => {
  const env = certificate()
  const pool = (more: Record<string, string> = {}) => ({ workers: 1, env: { ...env, ...more } })
  balancer = await startBalancer({
    config: {
      app: 'tls-app.mjs',
      pools: {
        rest: pool(),
        one: pool(),
        heavy: pool(),
        h2: pool({ KIND: 'http2' }),
        acme: pool({ KIND: 'tls', ALPN: 'acme-tls/1' }),
      },
      routes: [
        { alpn: 'acme-tls/1', pool: 'acme' },
        { sni: 'two.example', alpn: 'h2', pool: 'h2' },
        { sni: ['one.example', '*.one.example'], path: '/heavy/*', pool: 'heavy' },
        { sni: ['one.example', '*.one.example'], pool: 'one' },
      ],
    },
  })
  await balancer.untilAllReady()
})

test.after(async () => {
  assert.is(await balancer.stop(), 0)
})

function open(servername: string | undefined, more: ConnectionOptions = {}): TLSSocket {
  const socket = connect({ port: balancer.port, host: '127.0.0.1', servername: servername ?? '', rejectUnauthorized: false, ...more })
  socket.setEncoding('latin1').on('error', () => {})
  return socket
}

/** What the app says on one connection to a request for each path. */
async function answers(socket: TLSSocket, paths: readonly string[]): Promise<string[]> {
  const found: string[] = []
  let text = ''
  socket.on('data', (more: string) => {
    text += more
  })
  for (const path of paths) {
    text = ''
    socket.write(get(path, KEEP))
    await until(() => text.endsWith(path) && text.includes('\r\n\r\n'), 10_000, `the answer for ${path}: ${text}`)
    found.push(text.slice(text.indexOf('\r\n\r\n') + 4))
  }
  socket.destroy()
  return found
}

async function forwarded(): Promise<number> {
  return (await balancer.status()).moves.forwarded.reduce((sum, { count }) => sum + count, 0)
}

test('a server name leads to its pool, in any case, with a wildcard, and without one to the rest', async () => {
  const before = await forwarded()
  for (const [name, pool] of [
    ['one.example', 'one'],
    ['ONE.example', 'one'],
    ['a.b.one.example', 'one'],
    ['two.example', 'rest'],
    [undefined, 'rest'],
  ] as const) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const said = await answers(open(name, { maxVersion, ALPNProtocols: ['http/1.1'] }), ['/', '/again'])
      const expected = `${pool} ${name ?? '-'} http/1.1`
      assert.equal(said, [`${expected} /`, `${expected} /again`], `${name} ${maxVersion}`)
    }
  }
  assert.is(await forwarded(), before, 'the workers agree with the primary')
})

test('a protocol leads to its pool: HTTP/2 and any other', async () => {
  const session = connectHttp2(`https://127.0.0.1:${balancer.port}`, { servername: 'two.example', rejectUnauthorized: false })
  let text = ''
  const request = session.request({ ':path': '/x' }).setEncoding('utf8')
  for await (const part of request) text += part
  session.destroy()
  assert.is(text, 'h2 two.example h2 /x')

  const socket = open('one.example', { ALPNProtocols: ['acme-tls/1'] })
  let said = ''
  socket.on('data', (more: string) => {
    said += more
  })
  await untilEvent(socket, 'end')
  assert.is(said, 'acme one.example acme-tls/1 ')
})

test('a request inside TLS is routed by its path and by its hello: to another pool it is forwarded', async () => {
  const before = await forwarded()
  const seen = (await answers(open('a.one.example'), ['/heavy/1', '/light', '/heavy/2'])).map((text) => text.split(' ')[0])
  assert.equal(seen, ['heavy', 'one', 'heavy'])
  assert.is((await forwarded()) - before, 2)
  assert.match((await answers(open('other.example'), ['/heavy/1']))[0] ?? '', /^rest /)
})

/** Relays connections, the first bytes of each one by one. */
async function openDrip(): Promise<Server> {
  const server = createServer((client) => {
    const onward = connectTcp({ port: balancer.port, host: '127.0.0.1', noDelay: true })
    for (const socket of [client, onward]) socket.on('error', () => {})
    onward.pipe(client)
    client.once('data', async (bytes) => {
      client.pause()
      for (const byte of bytes) {
        onward.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
      client.pipe(onward)
    })
  })
  server.listen(0, '127.0.0.1')
  await untilEvent(server, 'listening')
  return server
}

test('a hello that drips in single bytes is waited for, and the handshake succeeds', async () => {
  const drip = await openDrip()
  const said = await answers(open('one.example', { port: (drip.address() as AddressInfo).port }), ['/a', '/b'])
  assert.equal(said, ['one one.example - /a', 'one one.example - /b'])
  drip.close()
})

test('Chromium reaches the pool of its server name, with post-quantum keys and an ECH extension', async () => {
  const { port } = balancer
  const browser = await openBrowser(['--host-resolver-rules=MAP *.one.example 127.0.0.1'])
  try {
    const page = await browser.newPage({ ignoreHTTPSErrors: true })
    await page.goto(`https://www.one.example:${port}/page`)
    assert.is(await page.textContent('body'), 'one www.one.example http/1.1 /page')
  } finally {
    await browser.close()
  }
})

test('curl and openssl reach the pool of their server name', async () => {
  const { port } = balancer
  const { stdout } = await run('curl', ['-sk', '--http1.1', '--resolve', `one.example:${port}:127.0.0.1`, `https://one.example:${port}/c`])
  assert.is(stdout, 'one one.example http/1.1 /c')
  const openssl = run('openssl', ['s_client', '-quiet', '-connect', `127.0.0.1:${port}`, '-servername', 'x.one.example'], {
    timeout: patience(10_000),
  })
  openssl.child.stdin?.write(get('/o', { Connection: 'close' }))
  openssl.child.stdin?.on('error', () => {})
  assert.match((await openssl).stdout, 'one x.one.example - /o')
})

/** TLS 1.2 clients may ask to negotiate anew; a line `R` makes openssl do so. The app's TLS stack allows or refuses it. */
test('a renegotiation stays between the client and its worker', async () => {
  const openssl = run('openssl', ['s_client', '-tls1_2', '-connect', `127.0.0.1:${balancer.port}`, '-servername', 'one.example'], {
    timeout: patience(10_000),
  })
  const { stdin, stdout, stderr } = openssl.child
  stdin?.on('error', () => {})
  let said = ''
  for (const stream of [stdout, stderr])
    stream?.on('data', (text: string) => {
      said += text
    })
  const ended = openssl.then(
    () => true,
    () => true,
  )
  await until(() => said.includes('Verify return code'), 5_000, 'a handshake')
  stdin?.write('R\n')
  await until(() => said.includes('RENEGOTIATING'), 5_000, 'a renegotiation')
  stdin?.end('Q\n')
  await ended
  assert.match((await answers(open('one.example'), ['/after']))[0] ?? '', 'one')
})

const badHellos: [title: string, bytes: Buffer][] = [
  ['garbage after a valid hello', Buffer.concat([hello({ serverName: 'one.example' }), Buffer.alloc(5_000, 0xff)])],
  [
    'early data that no ticket allows',
    Buffer.concat([
      hello({ serverName: 'one.example', extensions: [extension(42)], identities: [Buffer.alloc(64, 7)] }),
      Buffer.from([23, 3, 3, 0, 4, 1, 2, 3, 4]),
    ]),
  ],
  [
    'identities that do not come last',
    hello({ serverName: 'one.example', extensions: [preSharedKeys(Buffer.alloc(64, 7))], hasEch: true }),
  ],
  ['a hello of the wrong length', Buffer.from([22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3])],
]

for (const [title, bytes] of badHellos) {
  test(`${title}: the worker's TLS stack ends the connection, and others are served`, async () => {
    const client = new RawClient(balancer.port).write(bytes)
    await client.over()
    client.destroy()
    assert.match((await answers(open('one.example'), ['/after']))[0] ?? '', 'one')
  })
}

test('a running balancer explains where a TLS connection goes', async () => {
  const { code, out } = await runCommand(balancer, ['explain', '--live', '--sni', 'two.example', '--alpn', 'h2'])
  assert.is(code, 0)
  assert.match(out, /^a connection over TLS for two\.example \(h2\) from 127\.0\.0\.1, now\n/)
  assert.match(out, /^pool +h2 \(1 candidate/m)
})

test('half-sent hellos slow no other client down', async () => {
  const { held, faults } = await holdHalfHellos(balancer, 300, 20)
  assert.equal(faults, [])
  assert.is(held, 300)
})

test.run()
