// `balancer check` and `balancer explain`: their output is asserted literally.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TicketSeal } from '@switchyard/routing'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../../../test/suite.ts'
import { spawnLogged } from '../../../../../test/support/spawn.ts'
import { main } from '../../../src/cli/main.ts'
import { ticketKeysOf } from '../../../src/config/secret.ts'
import { fakeIo } from '../../support/fake-balancer.ts'

const test = suite('check and explain')
const runsMain = fileURLToPath(new URL('../../fixtures/runs-main.ts', import.meta.url))
const secret = 'a secret for tests only'
const config = {
  app: 'server.js',
  listen: 3000,
  pools: { web: { workers: 4 }, heavy: { workers: 1 } },
  routes: [
    { path: '/reports/*', pool: 'heavy' },
    { path: '/socket.io/*', policy: { sticky: { by: 'ticket' } } },
    { path: '/cart/*', policy: { sticky: { by: { cookie: 'connect.sid' } } } },
    { path: '/ip', policy: { sticky: { by: 'client-address' } } },
    { method: 'POST', host: 'api.example.com', path: '/v2/*', policy: 'round-robin' },
  ],
}

function folderWith(text: string, file = 'balancer.config.json'): string {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-explain-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'server.js'), '')
  writeFileSync(join(folder, file), text)
  return folder
}

const folder = folderWith(JSON.stringify(config))

async function run(args: string[], cwd = folder, env: NodeJS.ProcessEnv = {}) {
  const io = fakeIo(cwd, env)
  const code = await main(args, io)
  return { code, out: io.stdout.text, error: io.stderr.text }
}

const fieldOf = (out: string, name: string) =>
  out
    .split('\n')
    .find((line) => line.startsWith(`${name} `))
    ?.slice(name.length)
    .trim()

test('check prints pools and routes', async () => {
  const { code, out } = await run(['check'])
  assert.is(code, 0)
  assert.is(
    out,
    `${join(folder, 'balancer.config.json')} has no faults.

listen    *:3000
admin     127.0.0.1:9400
control   default path for this folder and config
sessions  in the memory of the primary, at most 100000

POOL   WORKERS  QUEUE             APP
web    4        1024 for 5000 ms  server.js
heavy  1        1024 for 5000 ms  server.js

   ROUTE                      POOL   POLICY
0  /reports/*                 heavy  least-busy
1  /socket.io/*               web    sticky-ticket
2  /cart/*                    web    sticky-hash
3  /ip                        web    sticky-hash
4  POST api.example.com/v2/*  web    round-robin
   (everything else)          web    least-busy
`,
  )
})

test('check prints every fault and exits with 2', async () => {
  const { code, out, error } = await run(
    ['check'],
    folderWith('{ "app": "server.js", "pools": { "web": { "workers": 0 } }, "routes": [{ "pool": "wbe" }] }'),
  )
  assert.is(code, 2)
  assert.is(out, '')
  assert.match(
    error,
    "balancer.config.json has 2 faults:\n  pools.web.workers: expected a positive integer or 'max', got 0\n  routes[0].pool: there is no pool 'wbe' (did you mean 'web'?)",
  )
})

test('check prints what the clients of a listener speak, and a fault of a server name', async () => {
  const listen = [8080, { port: 8443, protocol: 'tls' }, { port: 25, protocol: 'tcp' }, { path: '/run/a.sock', peek: false }]
  const { out } = await run(['check'], folderWith(JSON.stringify({ app: 'server.js', listen })))
  assert.is(fieldOf(out, 'listen'), '*:8080, *:8443 (tls), *:25 (tcp), /run/a.sock (tcp)')
  const routes = [{ sni: ['a.example', '*'], alpn: [] }]
  const bad = await run(['check'], folderWith(JSON.stringify({ app: 'server.js', listen: { port: 80, protocol: 'ftp' }, routes })))
  assert.match(bad.error, "listen.protocol: expected one of 'detect', 'http', 'tls', 'http2', 'tcp', got 'ftp'")
  assert.match(bad.error, "routes[0].sni[1]: expected * to be the whole first label, as in *.example.com, got '*'")
  assert.match(bad.error, 'routes[0].alpn: expected at least one protocol, got an empty list')
})

test('check warns of a route by server name where no listener takes TLS', async () => {
  const routes = [{ path: '/a' }, { sni: 'a.example' }]
  const checked = async (listen: object) => (await run(['check'], folderWith(JSON.stringify({ app: 'server.js', routes, listen })))).out
  assert.match(await checked({ port: 80, protocol: 'http' }), "Warning: no connection over 'listen' matches the route /* [sni: a.example]:")
  for (const listen of [
    { port: 443 },
    [
      { port: 80, protocol: 'http' },
      { port: 443, protocol: 'tls' },
    ],
  ])
    assert.not.match(await checked(listen), 'Warning')
})

test('check and explain say of HTTP/2 whether streams are spread', async () => {
  const cwd = folderWith(
    JSON.stringify({
      app: 'server.js',
      listen: { port: 50051, http2: true },
      routes: [
        { path: '/a', spread: true },
        { path: '/b', policy: { sticky: { by: 'ticket' } }, spread: true },
      ],
    }),
  )
  const { out } = await run(['check'], cwd)
  assert.match(
    out,
    /^ +ROUTE +POOL +POLICY +SPREAD\n0 +\/a +web +least-busy +yes\n1 +\/b +web +sticky-ticket +no\n +\(everything else\) +web +least-busy +no$/m,
  )
  assert.match(out, "Warning: 'spread' of the route /b has no effect: the policy sticky-ticket chooses the worker of each stream.")
  const spread = async (path: string, ...args: string[]) =>
    fieldOf((await run(['explain', 'GET', path, ...args], cwd)).out, 'spread') ?? 'nothing'
  assert.match(
    await spread('/a'),
    "yes, 'spread' of the route is true: a stream of HTTP/2 that keeps the event loop busy goes to the worker",
  )
  assert.match(await spread('/b'), 'no, the policy sticky-ticket chooses the worker of each stream')
  assert.match(await spread('/c'), "no, 'http2.spread' of the listener is false")
  assert.is(await spread('/a', '--listener', '80'), 'nothing')
})

test('check without a config is an error', async () => {
  const { code, error } = await run(['check'], tmpdir())
  assert.is(code, 2)
  assert.match(error, 'There is no app and no config here')
})

test('explain prints the first route that matches, and why earlier routes do not', async () => {
  const { code, out } = await run(['explain', 'GET', '/cart/7?x=1', '-H', 'Cookie: connect.sid=abc'])
  assert.is(code, 0)
  assert.match(out, /^GET \/cart\/7\?x=1 from 127\.0\.0\.1\n/)
  assert.match(out, /^no +\/reports\/\* +path \/cart\/7 is not \/reports\/\*$/m)
  assert.match(out, /^no +\/socket\.io\/\* +path \/cart\/7 is not \/socket\.io\/\*$/m)
  assert.match(out, /^yes +\/cart\/\* +matches$/m)
  assert.is(fieldOf(out, 'route'), '/cart/*')
  assert.is(fieldOf(out, 'pool'), 'web (4 workers, all assumed idle)')
  assert.is(fieldOf(out, 'policy'), 'sticky-hash')
  assert.match(fieldOf(out, 'choice') as string, /^key from cookie connect\.sid → slot [0-3]$/)
})

test('explain without a key prints the fallback policy', async () => {
  const { out } = await run(['explain', 'GET', '/cart/7'])
  assert.match(fieldOf(out, 'choice') as string, 'no key from cookie connect.sid → otherwise: least busy: slot 0')
})

test('explain prints the choice of least-busy among idle workers', async () => {
  const { out } = await run(['explain', 'GET', '/'], folderWith('{ "app": "server.js", "policy": "least-busy" }'))
  assert.is(fieldOf(out, 'policy'), 'least-busy')
  assert.is(fieldOf(out, 'choice'), 'least busy: slot 0 with 0')
})

test('explain uses the weights of the pool', async () => {
  const text = '{ "app": "server.js", "policy": "least-busy", "pools": { "web": { "workers": 3, "weights": [1, 3] } } }'
  const { out } = await run(['explain', 'GET', '/'], folderWith(text))
  assert.is(fieldOf(out, 'choice'), 'least busy: slot 1 with 0')
})

test('explain prints that no route matches', async () => {
  const { out } = await run(['explain', 'GET', '/'])
  assert.match(out, /^yes +\(everything else\) +no route matches$/m)
})

test('explain matches host and method', async () => {
  assert.is(fieldOf((await run(['explain', 'POST', '/v2/x', '-H', 'Host: API.example.com:8080'])).out, 'policy'), 'round-robin')
  const { out } = await run(['explain', 'GET', '/v2/x', '-H', 'Host: api.example.com'])
  assert.match(out, 'method GET is not POST')
})

test('explain reads a ticket if it knows the secret, otherwise prints why not', async () => {
  const [key] = ticketKeysOf({ path: 'secret', secrets: [secret] })
  assert.ok(key)
  const ticket = new TicketSeal([key]).issue({ slot: 2, generation: 1, pool: 'web', expiresAtMs: Date.now() + 60_000 })
  const args = ['explain', 'GET', '/socket.io/', '-H', `Cookie: switchyard-web=${ticket}`]
  const known = await run(args, folder, { SWITCHYARD_SECRET: secret })
  assert.is(fieldOf(known.out, 'choice'), 'ticket from cookie switchyard-web → slot 2')
  const unknown = await run(args)
  assert.match(fieldOf(unknown.out, 'choice') as string, 'no ticket')
  assert.match(unknown.out, "Tickets can't be read here: without 'secret' or SWITCHYARD_SECRET each start signs with a new secret.")
})

test('explain uses the address of the client', async () => {
  const { out } = await run(['explain', 'GET', '/ip', '--from', '203.0.113.7'])
  assert.match(fieldOf(out, 'choice') as string, 'key from client address')
})

test('explain runs a custom policy', async () => {
  const own = folderWith(
    'export default { app: "server.js", pools: { web: { workers: 4 } }, routes: [{ path: "/a", policy: (c) => c[3] }, { path: "/b", policy: () => { throw new Error("oops") } }, { path: "/c", policy: () => undefined }] }',
    'balancer.config.mjs',
  )
  assert.is(fieldOf((await run(['explain', 'GET', '/a'], own)).out, 'choice'), 'slot 3')
  assert.is(fieldOf((await run(['explain', 'GET', '/b'], own)).out, 'choice'), 'the policy failed: oops')
  assert.is(fieldOf((await run(['explain', 'GET', '/c'], own)).out, 'choice'), 'no worker: the connection would wait in the queue')
})

const hellos = JSON.stringify({
  app: 'server.js',
  pools: { web: { workers: 2 }, one: { workers: 2 }, deep: { workers: 1 } },
  routes: [
    { path: '/deep/*', sni: '*.example.com', pool: 'deep' },
    { sni: 'a.example.com', alpn: 'h2', pool: 'one' },
  ],
})

test('explain takes a TLS connection by its server name and protocols', async () => {
  const { code, out } = await run(['explain', '--sni', 'A.example.com', '--alpn', 'h2,http/1.1'], folderWith(hellos))
  assert.is(code, 0)
  assert.match(out, /^a connection over TLS for a\.example\.com \(h2, http\/1\.1\) from 127\.0\.0\.1\n/)
  assert.match(out, /^no +\/deep\/\* \[sni: \*\.example\.com\] +path unknown is not \/deep\/\*$/m)
  assert.match(out, /^yes +\/\* \[sni: a\.example\.com\] \[alpn: h2\] +matches$/m)
  assert.is(fieldOf(out, 'pool'), 'one (2 workers, all assumed idle)')
  assert.is(fieldOf(out, 'later'), undefined)
  assert.match(out, 'The workers route the requests inside TLS')
  const without = await run(['explain', '--alpn', 'h2'], folderWith(hellos))
  assert.match(without.out, /^a connection over TLS without a server name \(h2\) from/)
  assert.is(fieldOf(without.out, 'pool'), 'web (2 workers, all assumed idle)')
})

test('explain takes a request inside TLS', async () => {
  const { out } = await run(['explain', 'GET', '/deep/1', '--sni', 'b.example.com'], folderWith(hellos))
  assert.match(out, /^GET \/deep\/1 inside TLS for b\.example\.com from 127\.0\.0\.1\n/)
  assert.is(fieldOf(out, 'pool'), 'deep (1 worker, all assumed idle)')
  assert.match(fieldOf(out, 'later') as string, 'stays with any worker of deep')
  assert.match((await run(['explain', 'GET', '/deep/1'], folderWith(hellos))).out, 'the connection is not over TLS')
})

test('explain recognises heads that the primary refuses', async () => {
  assert.match((await run(['explain', 'GET', '/', '-H', `X: ${'x'.repeat(40_000)}`])).out, 'The primary refuses this head: too-large.')
  assert.match(
    (await run(['explain', 'GET', '/', '-H', 'Host: a', '-H', 'Host: b'])).out,
    'The primary refuses this head (400): it could be read as a request for more than one host or pool.',
  )
})

const wrong: [args: string[], message: string][] = [
  [['explain', '/cart', '7'], "Expected a method first, such as 'GET /cart'."],
  [['explain', 'GET'], "missing required argument 'path'"],
  [['explain', 'GET', '/a b'], 'Expected a percent-encoded path'],
  [['explain'], "missing required argument 'method', or '--sni' for a TLS connection"],
  [['explain', 'GET', '--sni', 'a.example'], "missing required argument 'path'"],
  [['explain', '--sni', '*.example.com'], 'Expected the name of one host.'],
  [['explain', '--sni', '10.0.0.1'], 'Expected a name: clients that connect to an address send no server name.'],
  [['explain', '--alpn', 'h2,'], "Expected a protocol id such as 'h2' or 'http/1.1'."],
  [['explain', 'GET', '/', '-H', 'Cookie'], "Expected 'Name: value'."],
  [['explain', 'GET', '/', '--from', 'me'], 'Expected an IP address.'],
  [['explain', 'GET', '/', '--', 'x'], "'explain' runs no app"],
  [['check', '--cofnig', 'x'], 'Did you mean --config?'],
]
for (const [args, message] of wrong) {
  test(`exit code 2: ${args.join(' ')}`, async () => {
    const { code, error } = await run(args)
    assert.is(code, 2)
    assert.match(error, message)
  })
}

for (const args of [['--help'], ['start', '--help'], ['check', '-h'], ['explain', '--help']]) {
  test(`${args.join(' ')} has examples`, async () => {
    const { code, out } = await run(args)
    assert.is(code, 0)
    assert.match(out, /Usage: balancer[\s\S]*Examples:\n {2}\$ balancer /)
  })
}

test('a closed stdout, as by `| head`, is no error', async () => {
  const child = spawnLogged(process.execPath, ['--import', 'tsx', runsMain, '--help'])
  child.process.stdout?.destroy()
  assert.equal(await child.ended, { code: 0, signal: null })
  assert.is(child.stderr(), '')
})

test('--version prints the version of the package', async () => {
  const { code, out } = await run(['--version'])
  assert.is(code, 0)
  assert.match(out, /^\d+\.\d+\.\d+\n$/)
})

test('explain names the upstream servers with their weights, and what the chosen one gets', async () => {
  const upstream = { servers: ['http://127.0.0.1:9000', 'http://app.internal'], stripPrefix: '/old', host: 'upstream' }
  const route = { path: '/old/*', pool: 'legacy', policy: { sticky: { by: { cookie: 'sid' } } } }
  const pools = { web: { app: 'server.js' }, legacy: { workers: 2, weights: [1, 3], upstream } }
  const folder = folderWith(JSON.stringify({ listen: 3000, pools, routes: [route] }))
  const fields = ['-H', 'Cookie: sid=1', '-H', 'Host: shop.test', '-H', 'X-Forwarded-For: 6.6.6.6', '-H', 'X-A: 1', '-H', 'Connection: X-A']
  const { code, out } = await run(['explain', 'GET', '/old/x?y', ...fields], folder)
  assert.is(code, 0)
  assert.is(
    out.slice(out.indexOf('route ')),
    `route   /old/*
pool    legacy (2 upstream servers behind 2 proxy workers, all assumed idle)
policy  sticky-hash
choice  key from cookie sid → slot 1
later   stays with the proxy worker of its connection, which chooses a server for each request

SERVER    URL                    WEIGHT
legacy/0  http://127.0.0.1:9000  1
legacy/1  http://app.internal    3

Names are not looked up here. Each address of a name is a server with a slot of its own.

The server gets
  GET /x?y HTTP/1.1
  Host: app.internal
  Cookie: sid=1
  X-Forwarded-For: 127.0.0.1
  X-Forwarded-Proto: http
  X-Forwarded-Host: shop.test
  X-Forwarded-Prefix: /old
  Forwarded: for=127.0.0.1;host=shop.test;proto=http
  Via: 1.1 switchyard-legacy
Removed or rewritten: X-Forwarded-For, X-A, Connection
`,
  )
  const refused = await run(['explain', 'GET', '/old/%zz'], folder)
  assert.match(refused.out, /The proxy worker refuses the request: it is answered 400 \(bad target\)/)
})

test.run()
