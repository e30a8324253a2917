// The cost of a decision inside the primary: reading a head, finding its route, picking a worker. One process, no sockets. The built
// packages are measured, as they run.

import { type Candidate, idleLoad, leastInFlight, RequestHead, type Route, RouteTable } from '../../packages/routing/dist/index.js'
import { type MicroCase, type MicroRow, policyCases } from './policy-cases.ts'
import { markdown, median } from './report.ts'

const MAX_HEAD_BYTES = 16_384
const BATCH_MS = 10
const LEAST_BATCHES = 5

/** What a browser sends for a page: 15 fields, two cookies. */
const browserHead = Buffer.from(
  [
    'GET /app-50/products/42?page=2&sort=price HTTP/1.1',
    'Host: shop.example.com',
    'Connection: keep-alive',
    'Cache-Control: max-age=0',
    'sec-ch-ua: "Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"',
    'sec-ch-ua-mobile: ?0',
    'sec-ch-ua-platform: "Linux"',
    'Upgrade-Insecure-Requests: 1',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7',
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: navigate',
    'Referer: https://shop.example.com/app-50/products?page=1',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
    'Cookie: connect.sid=s%3AqP4Zk1Jt7mC0xV9bN2dR5wY8.h3Lq6Ue1Ti0Oz9Ax8Sc7Vf6Bg5Nh4Mj3Kl2Pw1Qe0Ry; theme=dark',
    '',
    '',
  ].join('\r\n'),
)

/** The head takes the last of the routes, or the only one. */
function routeTable(count: number): RouteTable {
  const route = (name: string, path: string): Route => ({ name, match: { path }, pool: 'web', policy: leastInFlight() })
  const routes = count === 1 ? [route('all', '/*')] : Array.from({ length: count }, (_, index) => route(`${index}`, `/app-${index + 1}/*`))
  return new RouteTable(routes, route('default', '/*'))
}

function candidateList(count: number): readonly Candidate[] {
  return Array.from({ length: count }, (_, slot) => ({
    slot,
    generation: 1,
    weight: 1,
    // Several share the least, as in life: ties are part of the cost.
    load: { ...idleLoad, inFlight: (slot * 7) % 4, connections: slot, utilisation: 0.3, latencyMs: 2, memoryBytes: 5e7 },
  }))
}

export function readHead(): RequestHead {
  return RequestHead.read(browserHead, browserHead.length, MAX_HEAD_BYTES)
}

/** A head remembers what was asked of it, so each decision has a fresh one, as each connection has. */
export function decision(routes: number, workers: number): { table: RouteTable; decide: () => Candidate | undefined } {
  const table = routeTable(routes)
  const candidates = candidateList(workers)
  const decide = () => {
    const head = readHead()
    return table.find(head).policy.pick(candidates, head)
  }
  return { table, decide }
}

/** What a worker does for a later request of a connection, as Node has parsed it, when it stays. */
export function steering(routes: number): { table: RouteTable; steer: () => Route } {
  const table = routeTable(routes)
  const { method, target } = readHead()
  const request = { method: method as string, url: target as string, headers: parsedHeaders() }
  const steer = () => table.find(RequestHead.of({ method: request.method, target: request.url, headers: request.headers }))
  return { table, steer }
}

/** The fields as `IncomingMessage` has them: names in lower case. */
function parsedHeaders(): Record<string, string> {
  const lines = browserHead.toString('latin1').trimEnd().split('\r\n').slice(1)
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]))
}

const cases: readonly MicroCase[] = [
  { name: `read a head of ${browserHead.length} bytes`, reads: true, run: readHead },
  ...[1, 50].flatMap((routes) =>
    [4, 64].map((workers) => ({
      name: `read it, route (${routes}) and pick (${workers} candidates)`,
      reads: true,
      run: decision(routes, workers).decide,
    })),
  ),
  { name: 'RequestHead.of + find (50 routes)', reads: false, run: steering(50).steer },
  ...policyCases(readHead()),
]

/** Runs every case for about `seconds`, after half of that to warm up. */
export function measureCases(seconds: number, onCase: (name: string) => void = () => {}): readonly MicroRow[] {
  return cases.map(({ name, reads, run }) => {
    onCase(name)
    const size = batchSize(run, seconds * 500)
    const times: number[] = []
    const deadline = performance.now() + seconds * 1000
    while (performance.now() < deadline || times.length < LEAST_BATCHES) times.push((timeMs(run, size) * 1e6) / size)
    return { name, nsPerOp: median(times), batches: times.length, reads }
  })
}

export function microTable(rows: readonly MicroRow[]): string {
  const read = rows[0]?.nsPerOp ?? 0
  return markdown(
    ['what', 'ns', 'without reading, ns'],
    rows.map(({ name, nsPerOp, reads }, index) => [name, nsPerOp.toFixed(0), index === 0 || !reads ? '' : (nsPerOp - read).toFixed(0)]),
  )
}

/** How many make a batch, found while warming up. */
function batchSize(run: () => unknown, warmUpMs: number): number {
  const deadline = performance.now() + warmUpMs
  let size = 64
  do {
    const ms = timeMs(run, size)
    if (ms < BATCH_MS) size = Math.ceil(size * Math.min(4, Math.max(1.1, BATCH_MS / Math.max(ms, 0.01))))
  } while (performance.now() < deadline)
  return size
}

let last: unknown

function timeMs(run: () => unknown, times: number): number {
  const startedAt = performance.now()
  for (let count = 0; count < times; count += 1) last = run()
  const ms = performance.now() - startedAt
  // Read, so that no compiler may leave the work out.
  if (last === undefined) throw new Error('the case chose no worker')
  return ms
}
