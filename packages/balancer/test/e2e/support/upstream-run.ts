// Many exchanges through an upstream pool, with aborts on either side, slow readers, and servers that are killed and started again.

import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { openDescriptors } from '../../../../../test/support/descriptors.ts'
import { patience } from '../../../../../test/support/patience.ts'
import { seededRandom } from '../../../../../test/support/random.ts'
import { until } from '../../../../../test/support/until.ts'
import { startBalancer } from './running-balancer.ts'

export interface UpstreamRun {
  readonly exchanges: number
  /** Under way at the same time. */
  readonly clients: number
  readonly seed: number
}

export interface UpstreamReport {
  /** How often each outcome came: a status, `aborted` by the client, or `broken`. */
  readonly outcomes: Readonly<Record<string, number>>
  /** What must not happen. */
  readonly faults: readonly string[]
}

/** What servers do at random instead of answering. */
const ABORT_SHARE = 0.1
/** Exchanges between two kills of a server. */
const KILL_EVERY = 400
const BODY = Buffer.alloc(20_000, 'a')
/** Failures that a client may see. */
const ALLOWED = new Set(['200', '502', '503', '504', 'aborted', 'broken'])
/** Only from the primary, to a client whose head came late because this process stood still. */
const LATE_HEAD = '408'

/** A server of its own port that can be killed, with every connection, and started again. */
class Backend {
  readonly seen = new Map<string, number>()
  port = 0
  private server: Server | undefined
  private readonly sockets = new Set<Socket>()
  private readonly random: () => number

  constructor(random: () => number) {
    this.random = random
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => this.serve(request, response))
    server.on('connection', (socket) => {
      this.sockets.add(socket)
      socket.once('close', () => this.sockets.delete(socket))
    })
    this.server = server
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve))
    this.port = (server.address() as AddressInfo).port
  }

  get open(): number {
    return this.sockets.size
  }

  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.server?.close(resolve))
    for (const socket of this.sockets) socket.resetAndDestroy()
    await closed
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const id = request.url ?? ''
    this.seen.set(id, (this.seen.get(id) ?? 0) + 1)
    const chance = this.random()
    if (chance < ABORT_SHARE / 2) return void request.socket.destroy()
    request.resume()
    request.on('error', () => {})
    request.once('end', () => {
      response.setHeader('Content-Length', BODY.length)
      if (chance > ABORT_SHARE) return void response.end(BODY)
      response.write(BODY.subarray(0, Math.floor(this.random() * BODY.length)))
      setImmediate(() => request.socket.destroy())
    })
  }
}

export async function upstreamRun({ exchanges, clients, seed }: UpstreamRun): Promise<UpstreamReport> {
  const random = seededRandom(seed)
  const backends = [new Backend(random), new Backend(random)]
  for (const backend of backends) await backend.start()
  const upstream = { servers: backends.map(({ port }) => `http://127.0.0.1:${port}`), maxFailures: 20, ejectionMs: 50 }
  const balancer = await startBalancer({ config: { pools: { up: { workers: 1, upstream } } } })
  const { pid = 0 } = (await balancer.untilAllReady()).pools[0]?.workers[0] ?? {}
  const outcomes: Record<string, number> = {}
  const faults: string[] = []
  // One exchange opens what stays open, such as the metrics' files.
  await exchangeOnce(balancer.port, '/first', 'GET', random)
  const descriptors = openDescriptors(pid)
  let next = 0
  const client = async (): Promise<void> => {
    while (next < exchanges) {
      const id = next++
      if (id % KILL_EVERY === KILL_EVERY - 1) void restart(backends[id % 2] as Backend)
      const outcome = await exchangeOnce(balancer.port, `/${id}`, random() < 0.5 ? 'POST' : 'GET', random)
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      if (!ALLOWED.has(outcome) && outcome !== LATE_HEAD) faults.push(`exchange ${id}: ${outcome}`)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  for (let id = 0; id < exchanges; id++) {
    const times = backends.reduce((sum, { seen }) => sum + (seen.get(`/${id}?POST`) ?? 0), 0)
    if (times > 1) faults.push(`POST ${id} reached the servers ${times} times`)
  }
  const { refused } = (await balancer.status()).connections
  const late = outcomes[LATE_HEAD] ?? 0
  if (late > refused['head-timeout'])
    faults.push(`${late} requests were answered with 408, ${refused['head-timeout']} of them by the primary`)
  for (const backend of backends) await backend.kill().catch(() => {})
  await until(() => openDescriptors(pid) <= descriptors, 10_000, 'no descriptor more than before').catch(() => {
    faults.push(`the proxy worker has ${openDescriptors(pid)} descriptors, ${descriptors} before`)
  })
  const code = await balancer.stop()
  if (code !== 0) faults.push(`the balancer ended with ${code}`)
  if (balancer.lines.some(({ msg }) => /exited|uncaught|TypeError/.test(msg) && !/code 0/.test(msg))) faults.push('a worker failed')
  return { outcomes, faults }
}

async function restart(backend: Backend): Promise<void> {
  await backend.kill()
  await backend.start()
}

/** One exchange on its own connection; aborts one time in ten, and reads slowly one time in twenty. */
function exchangeOnce(port: number, path: string, method: 'GET' | 'POST', random: () => number): Promise<string> {
  const [abortAt, isSlow] = [random() < ABORT_SHARE ? random() * 20 : undefined, random() < 0.05]
  return new Promise((resolve) => {
    const request = httpRequest({ host: '127.0.0.1', port, path: `${path}?${method}`, method, agent: false })
    let isAborted = false
    const abort = (): void => {
      isAborted = true
      request.destroy()
    }
    const late = setTimeout(() => resolve('no end'), patience(30_000))
    const timer = abortAt === undefined ? undefined : setTimeout(abort, abortAt)
    const end = (outcome: string): void => {
      clearTimeout(timer)
      clearTimeout(late)
      resolve(isAborted ? 'aborted' : outcome)
    }
    request.once('error', () => end('broken'))
    request.once('response', (response) => {
      if (isSlow) {
        response.pause()
        setTimeout(() => response.resume(), 20)
      }
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      response.once('error', () => end('broken'))
      response.once('close', () => {
        const isWhole = response.complete && (response.statusCode !== 200 || bytes === BODY.length)
        end(isWhole ? String(response.statusCode) : response.complete ? `cut at ${bytes} bytes, but it looks whole` : 'broken')
      })
    })
    request.end(method === 'POST' ? BODY.subarray(0, 10_000) : undefined)
  })
}
