// Clients that cancel many streams keep their connection, and attackers do not: their connections are cut, listed, and at last refused.

import { constants } from 'node:http2'
import { connect } from 'node:net'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { Http2Client } from './support/http2-client.ts'
import { sumOf } from './support/metric-page.ts'
import { END_HEADERS, END_STREAM, frame, PREFACE, RawHttp2, request, types, uint32 } from './support/raw-http2.ts'
import { portOf, type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('cut connections of HTTP/2', { timeoutMs: 60_000 })
const local = { host: '127.0.0.1', port: 0 }
const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM } = constants
const TILES = 200
/** `maxConcurrentStreams`. */
const MAX_STREAMS = 128
/** `maxResetsAtOnce`. */
const AT_ONCE = 256
const ATTACKER = '127.0.0.2'

let balancer: RunningBalancer
let port: number
let strict: number

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'http2-app.mjs',
      pools: { web: { workers: 1 } },
      listen: [
        { ...local, http2: true },
        { ...local, http2: { refusePrivate: true, refuseAfterCuts: 3, refuseMs: 600_000 } },
      ],
    },
  })
  ;[port, strict] = balancer.addresses.map(portOf) as [number, number]
})
test.after(async () => assert.is(await balancer.stop(), 0))

/** Pairs of a request and its reset, in one piece. */
function resets(count: number, first = 0): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => {
      const id = (first + index) * 2 + 1
      return Buffer.concat([
        frame(types.headers, END_STREAM | END_HEADERS, id, request('/hold')),
        frame(types.reset, 0, id, uint32(NGHTTP2_CANCEL)),
      ])
    }),
  )
}

/** Opens a page of tiles and leaves it: `onOpen` is awaited in between. */
async function leavePage(browser: Http2Client, onOpen: () => Promise<unknown>): Promise<void> {
  assert.is((await browser.get('/hello')).status, 200)
  const tiles = Array.from({ length: TILES }, () => browser.open('/hold', {}, true))
  const closed = Promise.all(tiles.map((tile) => untilEvent(tile, 'close')))
  await onOpen()
  for (const tile of tiles) tile.close(NGHTTP2_CANCEL)
  await closed
}

test(`a browser that leaves a page of ${TILES} tiles at once keeps its connection`, async () => {
  const browser = new Http2Client(`http://127.0.0.1:${port}`)
  await leavePage(browser, async () => {})
  assert.is((await browser.get('/hello')).status, 200)
  assert.equal([browser.faults, browser.session.closed], [[], false])
  browser.close()
})

test(`so does one that leaves three pages of ${TILES} tiles, of which the app has as many as may be open`, async () => {
  const [browser, other] = [new Http2Client(`http://127.0.0.1:${port}`), new Http2Client(`http://127.0.0.1:${port}`)]
  const areHeld = () => until(async () => (await other.json<{ held: number }>('/held')).held === MAX_STREAMS)
  for (let page = 0; page < 3; page++) await leavePage(browser, areHeld)
  assert.is((await browser.get('/hello')).status, 200)
  assert.equal([browser.faults, browser.session.closed], [[], false])
  for (const client of [browser, other]) client.close()
})

test('requests that wait for their turn are all served, with their bodies and trailers', async () => {
  const client = new Http2Client(`http://127.0.0.1:${port}`)
  const heavy = Array.from({ length: 20 }, () => client.get('/block?ms=3'))
  const uploads = Array.from({ length: 50 }, (_, index) => client.post('/body', `body ${index}`, {}, { 'x-sum': `${index}` }))
  const empty = Array.from({ length: 20 }, () => client.post('/body', '', {}, { 'x-sum': 'none' }))
  for (const { status } of await Promise.all(heavy)) assert.is(status, 200)
  for (const [index, { body }] of (await Promise.all(uploads)).entries()) assert.equal(JSON.parse(body).trailers, { 'x-sum': `${index}` })
  for (const { body } of await Promise.all(empty)) assert.equal(JSON.parse(body).trailers, { 'x-sum': 'none' })
  client.close()
})

test(`${AT_ONCE - 6} calls that are cancelled as soon as they are made end nothing, and twice as many end the connection`, async () => {
  const client = new RawHttp2(port).begin().send(resets(AT_ONCE - 6))
  client.send(frame(types.headers, END_STREAM | END_HEADERS, 2001, request('/hello')))
  await until(() => client.frames.some(({ type, stream }) => type === types.headers && stream === 2001))
  assert.not(client.hasEnded)
  client.send(resets(2 * AT_ONCE, 1001))
  await until(() => client.hasEnded)
  const goaway = client.frames.find(({ type }) => type === types.goaway)
  if (goaway !== undefined) assert.is(goaway.content.readUInt32BE(4), NGHTTP2_ENHANCE_YOUR_CALM)
  await until(async () => sumOf(await balancer.metrics(), 'http2_ended_total', /reason="resets"/) > 0, 20_000, 'the count')
})

/** Resolves when the connection has ended, with what came. */
function attack(): Promise<Buffer> {
  const socket = connect({ port: strict, host: '127.0.0.1', localAddress: ATTACKER })
  atSuiteEnd(() => socket.destroy())
  const parts: Buffer[] = []
  socket.on('data', (part) => parts.push(part)).on('error', () => {})
  socket.write(Buffer.concat([PREFACE, frame(types.settings, 0, 0), resets(2 * AT_ONCE)]))
  return new Promise((resolve) => socket.once('close', () => resolve(Buffer.concat(parts))))
}

interface Cut {
  readonly reason?: string
  readonly address?: string
  readonly count?: number
}

async function cutsOf(address: string): Promise<Cut[]> {
  const { out } = await runCommand(balancer, ['errors', '--json'])
  const lines = out.trimEnd().split('\n')
  return lines.flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Cut])).filter((cut) => cut.address === address)
}

test('an attacker is listed, and refused after some cut connections; others are served, and a reload ends it', async () => {
  const isRefused = async (): Promise<boolean> =>
    sumOf(await balancer.metrics(), 'switchyard_connections_refused_total', /reason="client-refused"/) > 0
  await until(
    async () => {
      await attack()
      return isRefused()
    },
    30_000,
    'a refusal',
  )
  const [cut] = await cutsOf(ATTACKER)
  assert.is(cut?.reason, 'resets')
  assert.ok((cut?.count ?? 0) >= 3, JSON.stringify(cut))
  const { out } = await runCommand(balancer, ['errors'])
  assert.match(out, /127\.0\.0\.2 at 127\.0\.0\.1:\d+ {2}resets, \d+ times since /)
  // The connection of the test before was cut too, on the listener that refuses no private address.
  assert.is((await cutsOf('127.0.0.1')).length, 1)
  const line = await balancer.untilLine(({ msg }) => msg.startsWith('refuses new connections of '), 'the line')
  assert.equal([line.address, line.forMs], [ATTACKER, 600_000])

  const other = new Http2Client(`http://127.0.0.1:${strict}`)
  assert.is((await other.get('/hello')).status, 200)
  other.close()
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
  const before = (await cutsOf(ATTACKER))[0]?.count ?? 0
  await attack()
  await until(async () => ((await cutsOf(ATTACKER))[0]?.count ?? 0) > before, 20_000, 'a worker to get the connection again')
})

test.run()
