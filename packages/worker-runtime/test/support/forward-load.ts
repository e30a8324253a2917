// Many forwarded requests of all kinds at the same time, one in ten broken off at a random moment by its client or by the app. Any resource
// that stays open afterwards is a fault.

import { createHash } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { openDescriptors } from '../../../../test/support/descriptors.ts'
import { seededRandom } from '../../../../test/support/random.ts'
import { until } from '../../../../test/support/until.ts'
import { type Pair, startPair } from './forward-pair.ts'

const CONCURRENCY = 64
const ABORTED = 0.1
const UPGRADED = 0.04
const MAX_BYTES = 150_000
const MAX_IDLE = 32

export interface LoadTotals {
  requests: number
  answered: number
  upgraded: number
  /** Broken off by the client, by the app. */
  hungUp: number
  cut: number
  bytes: number
  faults: string[]
}

/** The plan of a request, which both ends read from its path. */
interface Plan {
  readonly id: number
  readonly upload: number
  readonly chunked: boolean
  readonly download: number
  readonly upgrade: boolean
  readonly abort: 'client' | 'app' | undefined
  /** Milliseconds from the start, or from the app's first line. */
  readonly abortAfterMs: number
  begun: number
}

/** Sends `count` requests, and waits until all their resources are released. */
export async function loadForwards(count: number, seed: number): Promise<LoadTotals> {
  const random = seededRandom(seed)
  const plans = new Map<number, Plan>()
  const totals: LoadTotals = { requests: 0, answered: 0, upgraded: 0, hungUp: 0, cut: 0, bytes: 0, faults: [] }
  const warnings: string[] = []
  const warn = (warning: Error): void => void warnings.push(`${warning.name}: ${warning.message}`)
  process.on('warning', warn)
  const pair = await startPair({ app: (server) => app(server, plans), forwarder: { maxIdleConnections: MAX_IDLE } })
  pair.near.keepAliveTimeout = 60_000
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY })

  const round = async (requests: number): Promise<void> => {
    let next = 0
    const client = async (): Promise<void> => {
      while (next < requests) {
        next++
        const plan = newPlan(totals.requests++, random)
        plans.set(plan.id, plan)
        const fault = await (plan.upgrade ? upgrade(pair, plan, totals) : exchange(pair, plan, agent, totals))
        plans.delete(plan.id)
        if (fault !== undefined) totals.faults.push(`request ${plan.id}, ${JSON.stringify(plan)}: ${fault}`)
        if (plan.begun > 1) totals.faults.push(`request ${plan.id} was begun ${plan.begun} times`)
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, client))
  }

  // The state after a first round is the baseline.
  await round(Math.min(500, count / 4))
  const before = await rest(pair, agent)
  await round(count - totals.requests)
  const after = await rest(pair, agent)
  for (const [what, number] of Object.entries(after)) {
    if (number > (before[what] ?? 0)) totals.faults.push(`${what}: ${before[what]} before, ${number} after`)
  }
  process.off('warning', warn)
  totals.faults.push(...warnings)
  await pair.stop()
  return totals
}

function newPlan(id: number, random: () => number): Plan {
  const size = (): number => (random() < 0.7 ? Math.floor(random() * 2_000) : Math.floor(random() ** 2 * MAX_BYTES))
  const abort = random() < ABORTED ? (random() < 0.5 ? 'client' : 'app') : undefined
  const upload = random() < 0.5 ? size() : 0
  const shape = { upload, chunked: random() < 0.5, download: size(), upgrade: random() < UPGRADED }
  return { id, ...shape, abort, abortAfterMs: random() ** 2 * 12, begun: 0 }
}

function app(server: Pick<Server, 'on'>, plans: Map<number, Plan>): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const plan = plans.get(Number((request.url as string).slice(1)))
    // The client has hung up.
    if (plan === undefined) return response.end()
    plan.begun++
    if (plan.abort === 'app') setTimeout(() => response.destroy(), plan.abortAfterMs)
    const hash = createHash('sha1')
    request.on('data', (part: Buffer) => hash.update(part))
    request.on('end', () => {
      response.setHeader('X-Hash', hash.digest('hex'))
      const body = Buffer.alloc(plan.download, plan.id & 0xff)
      if (plan.abort !== 'app' && !plan.chunked) return void response.end(body)
      if (plan.chunked) response.setHeader('Trailer', 'X-Done')
      else response.setHeader('Content-Length', body.length + 1)
      write(response, body, plan)
    })
  })
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    const plan = plans.get(Number((request.url as string).slice(1)))
    socket.on('error', () => {})
    if (plan === undefined) return void socket.destroy()
    plan.begun++
    if (plan.abort === 'app') setTimeout(() => socket.destroy(), plan.abortAfterMs)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n')
    socket.pipe(socket)
  })
}

/** Writes the answer in two parts; an answer that the app breaks off never gets its end. */
function write(response: ServerResponse, body: Buffer, plan: Plan): void {
  response.write(body.subarray(0, body.length / 2))
  setImmediate(() => {
    if (response.destroyed) return
    response.write(body.subarray(body.length / 2))
    if (plan.abort === 'app') return
    if (plan.chunked) response.addTrailers({ 'X-Done': `${plan.id}` })
    response.end()
  })
}

/** Resolves with the fault, if any. */
function exchange(pair: Pair, plan: Plan, agent: Agent, totals: LoadTotals): Promise<string | undefined> {
  return new Promise((resolve) => {
    const upload = Buffer.alloc(plan.upload, plan.id & 0xff)
    const headers = plan.chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': upload.length }
    const options = { port: pair.port, host: '127.0.0.1', agent, path: `/${plan.id}`, method: 'POST', headers }
    const request = httpRequest(options)
    let response: IncomingMessage | undefined
    let received = 0
    request.on('response', (answer) => {
      response = answer
      answer.on('data', (part: Buffer) => {
        received += part.length
      })
      answer.on('error', () => {})
    })
    request.on('error', () => {})
    const timer = plan.abort === 'client' ? setTimeout(() => request.destroy(), plan.abortAfterMs) : undefined
    request.on('close', () => {
      clearTimeout(timer)
      totals.bytes += received
      const whole = response?.complete === true
      if (whole) totals.answered++
      if (plan.abort === 'client' && !whole) totals.hungUp++
      if (plan.abort === 'app' && !whole) totals.cut++
      resolve(judge(plan, upload, response, received))
    })
    if (plan.upload > 4_000) {
      request.write(upload.subarray(0, 2_000))
      setImmediate(() => request.end(upload.subarray(2_000)))
    } else request.end(upload)
  })
}

function judge(plan: Plan, upload: Buffer, response: IncomingMessage | undefined, received: number): string | undefined {
  if (response?.complete !== true)
    return plan.abort === undefined ? `no whole answer, ${response?.statusCode}, ${received} bytes` : undefined
  if (plan.abort === 'app') return `a whole answer of ${received} bytes, which the app has broken off`
  if (response.statusCode !== 200) return `status ${response.statusCode}`
  const expected = createHash('sha1').update(upload).digest('hex')
  if (response.headers['x-hash'] !== expected) return 'another upload arrived than was sent'
  if (received !== plan.download) return `${received} bytes came`
  if (plan.chunked && response.trailers['x-done'] !== `${plan.id}`) return 'no trailers'
  return undefined
}

function upgrade(pair: Pair, plan: Plan, totals: LoadTotals): Promise<string | undefined> {
  return new Promise((resolve) => {
    const headers = { Connection: 'Upgrade', Upgrade: 'test' }
    const request = httpRequest({ port: pair.port, host: '127.0.0.1', agent: false, path: `/${plan.id}`, headers })
    const timer = plan.abort === 'client' ? setTimeout(() => end(), plan.abortAfterMs) : undefined
    let upgraded: Socket | undefined
    let received = 0
    const end = (): void => {
      request.destroy()
      upgraded?.destroy()
    }
    const finish = (): void => {
      clearTimeout(timer)
      if (plan.abort !== undefined) totals[plan.abort === 'client' ? 'hungUp' : 'cut']++
      else totals.upgraded++
      resolve(plan.abort === undefined && received !== plan.download ? `${received} of ${plan.download} bytes came back` : undefined)
    }
    request.on('error', () => {})
    request.on('close', () => {
      if (upgraded === undefined) finish()
    })
    request.on('upgrade', (_response, socket: Socket, head: Buffer) => {
      upgraded = socket
      received = head.length
      socket.on('error', () => {})
      socket.on('data', (part: Buffer) => {
        received += part.length
      })
      socket.on('close', finish)
      // The app may break it off before it has read anything.
      socket.end(Buffer.alloc(plan.download))
    })
    request.end()
  })
}

/** The resources that are open when nothing is under way. */
async function rest(pair: Pair, agent: Agent): Promise<Record<string, number>> {
  agent.destroy()
  const connections = (server: Pick<Server, 'getConnections'>): Promise<number> =>
    new Promise((resolve) => void server.getConnections((_error, count) => resolve(count)))
  await until(async () => (await connections(pair.near)) === 0, 10_000, 'no connection of a client is left')
  await until(() => pair.privateSockets.size <= MAX_IDLE, 10_000, 'only idle private connections are left')
  const { freeSockets, sockets } = (pair.forwarder as unknown as { options: { connections: Agent } }).options.connections
  const idle = freeSockets[pair.socketPath] ?? []
  const busy = sockets[pair.socketPath]?.length ?? 0
  const listeners = [...pair.privateSockets, ...idle].map(listenersOf)
  pair.forwarder.forget(pair.socketPath)
  await until(() => pair.privateSockets.size === 0, 10_000, 'no private connection is left')
  await until(async () => (await connections(pair.far)) === 0, 10_000, 'the far worker has none')
  return {
    descriptors: openDescriptors(),
    'listeners of the near server': listenersOf(pair.near),
    'listeners of the far server': listenersOf(pair.far),
    'listeners of the process': listenersOf(process),
    'private connections in use': busy,
    'most listeners of a private connection': Math.max(0, ...listeners),
  }
}

function listenersOf(emitter: EventEmitter): number {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0)
}
