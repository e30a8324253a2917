// What arrives at an upstream server is what arrives there through nginx, or the proxy refuses the request. `fixtures/upstream-corpus.json` has what nginx
// 1.22 passes on; UPDATE_CORPUS=1 writes it anew.

import { readFileSync, writeFileSync } from 'node:fs'
import { assert, suite } from '../../../../test/suite.ts'
import { type Front, startNginx } from '../../../../test/support/fronts.ts'
import { type Answering, RecordingServer } from '../../../../test/support/recording-server.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'
import { corpus } from './support/upstream-corpus.ts'
import { sendCase } from './support/upstream-corpus-run.ts'

const test = suite('upstream corpus', { timeoutMs: 120_000 })

const FIXTURE = new URL('../fixtures/upstream-corpus.json', import.meta.url)

/** Where the proxy passes on what nginx refuses or changes. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'chunked behind a tab': 'a tab is allowed there (RFC 9112 §5.1)',
  'length <5\t>': 'a tab is allowed there (RFC 9112 §5.1), and Node removes it',
  'HTTP/1.0 without Host': 'the server gets its own name, as RFC 9112 §3.2 demands of HTTP/1.1',
  'target HTTP://SITE.TEST/abs': 'case is kept',
  'Host in capitals': 'case is kept',
  'Host with port': 'the port is kept',
  'IPv6 Host': 'the port is kept',
  'Proxy-Connection': 'removed (RFC 9110 §7.6.1)',
  'a named field': 'removed (RFC 9110 §7.6.1)',
  'two named fields': 'removed (RFC 9110 §7.6.1)',
  'Connection: Cookie': 'removed (RFC 9110 §7.6.1)',
  'X-Real-IP': 'the client is not believed',
  'X-Forwarded-Proto': 'the client is not believed',
  underscore: 'kept, unless it could be taken for a field of the proxy',
  'dot in a name': 'kept: dots are allowed in names',
  Expect: 'the server decides',
  'a body of 100,000 bytes': 'nginx had no file to buffer it in',
  '2,000 chunks': 'nginx had no file to buffer it in',
  'upgrade without Connection': 'no upgrade without Connection (RFC 9110 §7.8)',
  '2,000 fields': 'bounded by bytes, not by count',
  '2,001 short fields, then chunks': 'bounded by bytes, not by count',
}

const answer: Answering = ({ method, target }, socket) => {
  const body = method === 'HEAD' ? '' : 'ok'
  socket.write(`HTTP/1.1 ${target.startsWith('/refuse') ? '400 No' : '200 OK'}\r\nContent-Length: 2\r\n\r\n${body}`)
}

let server: RecordingServer
let proxy: RunningBalancer

test.before(async () => {
  server = await RecordingServer.start()
  server.answer = answer
  proxy = await startBalancer({ config: { pools: { up: { workers: 1, upstream: [`http://127.0.0.1:${server.port}`] } } } })
  if (process.env.UPDATE_CORPUS === '1') await update()
})

test.after(async () => assert.is(await proxy.stop(), 0))

test('nothing arrives that nginx would not pass on, and no bytes are read as another request', async () => {
  const byNginx = JSON.parse(readFileSync(FIXTURE, 'utf8')) as Record<string, readonly string[]>
  const faults: string[] = []
  for (const one of corpus) {
    const outcome = await sendCase(proxy.port, server, one)
    faults.push(...outcome.faults.map((fault) => `${one.name}: ${fault}`))
    const isDifferent = one.name in DIFFERENT
    if (isDifferent && outcome.arrived.some((line) => line.includes('smuggled'))) faults.push(`${one.name}: a smuggled request`)
    if (outcome.arrived.length === 0 || isDifferent) continue
    if (outcome.arrived.join() !== byNginx[one.name]?.join())
      faults.push(`${one.name}: ${outcome.arrived} through us, ${byNginx[one.name]} through nginx`)
  }
  assert.equal(faults, [])
})

/** nginx in front of a server of its own. Its upgrades end the server's connection. */
async function update(): Promise<void> {
  const behind = await RecordingServer.start()
  behind.answer = (request, socket) => {
    answer(request, socket)
    if (request.fields.some(([name]) => name.toLowerCase() === 'upgrade')) socket.end()
  }
  const nginx: Front = await startNginx(behind.port)
  const arrived: Record<string, readonly string[]> = {}
  for (const one of corpus) arrived[one.name] = (await sendCase(nginx.port, behind, one)).arrived
  writeFileSync(FIXTURE, `${JSON.stringify(arrived, undefined, 1)}\n`)
  await nginx.stop()
}

test.run()
