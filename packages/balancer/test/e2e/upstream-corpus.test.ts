// The corpus through our proxy, nginx and HAProxy, one after another, to one recording server. What arrives through ours is what arrives through nginx, or the
// request is refused, or the difference is listed here with its reason. `fixtures/upstream-corpus.json` is the table of all three; UPDATE_CORPUS=1 writes it.

import { readFileSync, writeFileSync } from 'node:fs'
import { assert, suite } from '../../../../test/suite.ts'
import { startHaproxy, startNginx } from '../../../../test/support/fronts.ts'
import { type Answering, type RecordedRequest, RecordingServer } from '../../../../test/support/recording-server.ts'
import { startBalancer } from './support/running-balancer.ts'
import { corpus } from './support/upstream-corpus.ts'
import { type CorpusOutcome, sendCase, withLowerNames } from './support/upstream-corpus-run.ts'

const test = suite('upstream corpus', { timeoutMs: 120_000 })

const FIXTURE = new URL('../fixtures/upstream-corpus.json', import.meta.url)

/** Where the proxy does as HAProxy does, and nginx does something else. */
const AS_HAPROXY: Readonly<Record<string, string>> = {
  'chunked behind a tab': 'a tab is allowed there (RFC 9112 §5.1)',
  'length <5\t>': 'a tab is allowed there (RFC 9112 §5.1), and Node removes it',
  'Host with port': "the client's Host is kept",
  'Host in capitals': "the client's Host is kept",
  'IPv6 Host': "the client's Host is kept",
  underscore: 'kept, unless it could be taken for a field of the proxy',
  'dot in a name': 'kept: dots are allowed in names (RFC 9110 §5.6.2)',
  Expect: 'the server decides (RFC 9110 §10.1.1)',
  trailer: 'trailers pass, and nginx drops them',
  'two trailers': 'trailers pass, and nginx drops them',
}

/** Where the proxy does as neither of them does. */
const OWN: Readonly<Record<string, string>> = {
  'HTTP/1.0 without Host': 'the server gets its own name, as RFC 9112 §3.2 demands of HTTP/1.1; the others send none',
  'target HTTP://SITE.TEST/abs': 'in origin form as through nginx, with the case of the name kept as through HAProxy',
  'Proxy-Connection': 'removed (RFC 9110 §7.6.1)',
  'a named field': 'removed (RFC 9110 §7.6.1)',
  'two named fields': 'removed (RFC 9110 §7.6.1)',
  'Connection: Cookie': 'removed (RFC 9110 §7.6.1)',
  'X-Real-IP': 'the client is not believed',
  'X-Forwarded-Proto': 'the client is not believed, nor its X-Forwarded-Port',
  'refused websocket with a request behind it': 'the connection ends with the refusal; the others pass on the next request',
  'upgrade without Connection': 'no upgrade without Connection (RFC 9110 §7.8), so Upgrade is removed',
}

/** Node 20 refuses these, and newer versions do not. */
const BY_VERSION: readonly string[] = ['length <5\t>']

/** What became of one case: the client's answer, then what arrived. */
type Row = readonly [client: string, ...arrived: string[]]
type Proxy = 'switchyard' | 'nginx' | 'haproxy'
type Table = Record<string, Readonly<Record<Proxy, Row>>>

/** HAProxy checks the answer to the key of the corpus (RFC 6455 §1.3 has both). */
const ACCEPT = 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n'
const SWITCHES = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${ACCEPT}\r\n`
const switches = ({ target }: RecordedRequest): boolean => target === '/switch'

const answer: Answering = (request, socket) => {
  if (switches(request)) return void socket.write(SWITCHES)
  const { method, target } = request
  const body = method === 'HEAD' ? '' : 'ok'
  socket.write(`HTTP/1.1 ${target.startsWith('/refuse') ? '400 No' : '200 OK'}\r\nContent-Length: 2\r\n\r\n${body}`)
}

/** nginx and HAProxy pass on upgrades that the server has not accepted. The next request must not come on such a connection. */
const answerOnce: Answering = (request, socket) => {
  answer(request, socket)
  if (!switches(request) && request.fields.some(([name]) => name.toLowerCase() === 'upgrade')) socket.end()
}

const known = JSON.parse(readFileSync(FIXTURE, 'utf8')) as Table
let server: RecordingServer
let outcomes: Readonly<Record<Proxy, ReadonlyMap<string, CorpusOutcome>>>

test.before(async () => {
  server = await RecordingServer.start()
  server.switches = switches
  const ours = await startBalancer({ config: { pools: { up: { workers: 1, upstream: [`http://127.0.0.1:${server.port}`] } } } })
  const switchyard = await sendAll('switchyard', ours.port, answer)
  assert.is(await ours.stop(), 0)
  const nginx = await startNginx(server.port)
  const byNginx = await sendAll('nginx', nginx.port, answerOnce)
  await nginx.stop()
  const haproxy = await startHaproxy(server.port)
  outcomes = { switchyard, nginx: byNginx, haproxy: await sendAll('haproxy', haproxy.port, answerOnce) }
  await haproxy.stop()
  if (process.env.UPDATE_CORPUS === '1') writeFileSync(FIXTURE, `${JSON.stringify(tableOf(), undefined, 1)}\n`)
})

async function sendAll(proxy: Proxy, port: number, answering: Answering): Promise<Map<string, CorpusOutcome>> {
  server.answer = answering
  const found = new Map<string, CorpusOutcome>()
  for (const one of corpus) found.set(one.name, await sendCase(port, server, one, known[one.name]?.[proxy][0]))
  return found
}

function tableOf(): Table {
  const row = (proxy: Proxy, name: string): Row => {
    const { client, arrived } = outcomes[proxy].get(name) as CorpusOutcome
    return [client, ...arrived]
  }
  const rows = (name: string) => ({ switchyard: row('switchyard', name), nginx: row('nginx', name), haproxy: row('haproxy', name) })
  return Object.fromEntries(corpus.map(({ name }) => [name, rows(name)]))
}

test('no bytes are read as another request, and the next request on the same connections gets its answer', () => {
  const faults = [...outcomes.switchyard].flatMap(([name, outcome]) => outcome.faults.map((fault) => `${name}: ${fault}`))
  assert.equal(faults, [])
  // Some spellings are chunks for every reader, so the second request is one of the client's.
  const isRequest = (name: string): boolean => outcomes.nginx.get(name)?.arrived.length === 2
  const smuggled = [...outcomes.switchyard].filter(([name, { arrived }]) => arrived.join().includes('smuggled') && !isRequest(name))
  assert.equal(smuggled, [])
})

test('what arrives through nginx arrives, or the request is refused, or the difference has a reason', () => {
  const faults: string[] = []
  for (const [name, { switchyard, nginx, haproxy }] of Object.entries(tableOf())) {
    const [client, ...arrived] = switchyard
    const isRefused = arrived.length === 0
    if (isRefused && !/^[45]\d\d$/.test(client)) faults.push(`${name}: nothing has arrived, and the client got ${client}`)
    const isNginx = arrived.join() === nginx.slice(1).join()
    const isHaproxy = arrived.map(withLowerNames).join() === haproxy.slice(1).join()
    const list = isRefused || isNginx ? undefined : isHaproxy ? AS_HAPROXY : OWN
    for (const other of [AS_HAPROXY, OWN])
      if (other !== list && name in other && !(isRefused && BY_VERSION.includes(name)))
        faults.push(`${name} is in a list where it does not belong`)
    if (list !== undefined && !(name in list))
      faults.push(`${name}: ${arrived} through us, ${nginx.slice(1)} through nginx, ${haproxy.slice(1)} through HAProxy`)
  }
  assert.equal(faults, [])
})

test('the table is what the proxy does', () => {
  assert.equal(
    Object.entries(tableOf()).flatMap(([name, { switchyard }]) =>
      switchyard.join() === known[name]?.switchyard.join() || BY_VERSION.includes(name)
        ? []
        : [`${name}: ${switchyard}, and UPDATE_CORPUS=1 writes it to the table`],
    ),
    [],
  )
})

test.run()
