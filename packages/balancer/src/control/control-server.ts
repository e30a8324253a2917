// The control socket: what an operator asks of the balancer from another process. It checks what comes, passes it to whoever can do it, and tells how that goes.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { BalancerError } from '../errors.ts'
import type { OperationResult, ScaleChange } from '../operations.ts'
import type { BalancerStatus } from '../status.ts'
import { boundConnections } from './bounded-connections.ts'
import { ControlLines } from './control-lines.ts'
import type { ControlError, ControlStatus, LogEntry, OperationBodies, OperationName, Progress } from './control-protocol.ts'
import { isOperation, RequestFault, readLogQuery, readOperation } from './control-requests.ts'
import { placeSocket, type SocketPlace } from './control-socket.ts'
import type { LogRing } from './log-ring.ts'

/** What can be done to the balancer and those around it. Rejections are BalancerErrors. */
export interface Controlled {
  status(): BalancerStatus
  reload(pool: string | undefined): Promise<OperationResult>
  rollback(): Promise<OperationResult>
  scale(pool: string, change: ScaleChange): Promise<OperationResult>
  drainSlot(pool: string, slot: number): Promise<OperationResult>
  restartSlot(pool: string, slot: number): Promise<OperationResult>
  upgrade(): Promise<OperationResult>
  stop(now: boolean): Promise<OperationResult>
}

/** Tells how an operation goes, from its begin until `stop`. */
export interface ProgressWatch {
  /** It has failed: tells what may explain it. */
  explain(): Promise<void>
  stop(): void
}

export interface ControlOptions extends SocketPlace {
  name: string
  version: string
  controlled: Controlled
  /** Begins to tell of an operation on a pool, or on all. */
  watchProgress(pool: string | undefined, say: (progress: Progress) => void): ProgressWatch
  logs: LogRing
  /** How long a request may take to come. Default 5000. */
  requestTimeoutMs?: number | undefined
}

/** A control socket that is open. */
export interface ControlServer {
  path: string
  /** Answers are finished, followers of the log are let go, and the socket is gone. */
  close(): Promise<void>
}

const maxConnections = 32
/** So that connections are left for other commands. */
const maxFollowers = 16
const defaultRequestTimeoutMs = 5_000
const closeTimeoutMs = 1_000

/** Opens the socket. Throws ERR_CONTROL. */
export async function openControl(options: ControlOptions): Promise<ControlServer> {
  const { path, takeOver, requestTimeoutMs = defaultRequestTimeoutMs } = options
  const control = new Control(options)
  const server = createServer(
    {
      maxHeaderSize: 8_192,
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs),
      keepAliveTimeout: 1_000,
    },
    (request, response) => void control.answer(request, response),
  )
  boundConnections(server, maxConnections)
  const socket = await placeSocket(server, { path, takeOver })
  // Such as no descriptor for who comes just now: the next one may have one.
  server.on('error', () => {})
  return {
    path,
    async close() {
      socket.remove()
      const closed = new Promise((resolve) => server.close(resolve))
      await control.finish(closeTimeoutMs)
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), closeTimeoutMs)
      await closed
      clearTimeout(timer)
    },
  }
}

class Control {
  readonly #options: ControlOptions
  readonly #bornAt = Date.now()
  readonly #running = new Set<Promise<void>>()
  readonly #followed = new Set<ControlLines>()

  constructor(options: ControlOptions) {
    this.#options = options
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Who goes away in the middle harms nobody.
    response.on('error', () => {})
    try {
      await this.#route(request, response)
    } catch (error) {
      request.resume()
      refuse(response, error)
    }
  }

  /** Resolves when every operation has been answered, or after the time. */
  async finish(timeoutMs: number): Promise<void> {
    for (const lines of this.#followed) lines.end()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([Promise.all(this.#running), late])
    clearTimeout(timer)
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = urlOf(request)
    const name = pathname.slice(1)
    if (name === 'status' || name === 'logs') {
      if (request.method !== 'GET') throw new RequestFault(405, `'${name}' is asked with GET`)
      return name === 'status' ? sendJson(response, 200, this.#status()) : this.#sendLogs(searchParams, response)
    }
    if (!isOperation(name)) throw new RequestFault(404, `there is no operation '${name}'`)
    if (request.method !== 'POST') throw new RequestFault(405, `'${name}' is asked with POST`)
    const body = await readOperation(name, request)
    const running = this.#operate(name, body, response)
    this.#running.add(running)
    await running.finally(() => this.#running.delete(running))
  }

  #status(): ControlStatus {
    const { name, version, controlled } = this.#options
    return { name, pid: process.pid, version, upMs: Date.now() - this.#bornAt, ...controlled.status() }
  }

  /** Who asked may go away: the operation goes on. */
  async #operate<Name extends OperationName>(name: Name, body: OperationBodies[Name], response: ServerResponse): Promise<void> {
    const lines = new ControlLines(response)
    let progress: ProgressWatch | undefined
    try {
      const pool = this.#poolOf(name, body as { pool?: string })
      progress = this.#options.watchProgress(pool, (one) => lines.write({ progress: one }))
      const gone = progress
      lines.onOver(() => gone.stop())
      lines.end({ result: await this.#perform(name, body, pool) })
    } catch (error) {
      if (!lines.isOver) await progress?.explain()
      lines.end({ error: describeError(error) })
    } finally {
      progress?.stop()
    }
  }

  #poolOf(name: OperationName, body: { pool?: string | undefined }): string | undefined {
    if (name !== 'scale' && name !== 'drain' && name !== 'restart') return body.pool
    const names = this.#options.controlled.status().pools.map((pool) => pool.name)
    if (body.pool === undefined && name === 'scale' && names.length > 1)
      throw new BalancerError('ERR_UNKNOWN_SEAT', `there are several pools: name one of ${names.join(', ')}`, { source: 'system' })
    return body.pool ?? names[0]
  }

  #perform(name: OperationName, body: OperationBodies[OperationName], pool = ''): Promise<OperationResult> {
    const { controlled } = this.#options
    switch (name) {
      case 'reload':
        return controlled.reload(pool === '' ? undefined : pool)
      case 'rollback':
        return controlled.rollback()
      case 'scale': {
        const { pool: _, ...change } = body as OperationBodies['scale']
        return controlled.scale(pool, change)
      }
      case 'drain':
        return controlled.drainSlot(pool, (body as OperationBodies['drain']).slot)
      case 'restart':
        return controlled.restartSlot(pool, (body as OperationBodies['restart']).slot)
      case 'upgrade':
        return controlled.upgrade()
      case 'stop':
        return controlled.stop((body as OperationBodies['stop']).now === true)
    }
  }

  #sendLogs(search: URLSearchParams, response: ServerResponse): void {
    const { lines: count, follow, pool, slot } = readLogQuery(search)
    if (follow && this.#followed.size >= maxFollowers) throw new RequestFault(503, `${maxFollowers} clients follow the log already`)
    const { logs } = this.#options
    const isAsked = (entry: LogEntry): boolean => (pool === undefined || entry.pool === pool) && (slot === undefined || entry.slot === slot)
    const lines = new ControlLines(response, (lost) => ({ lost }))
    for (const line of logs.last(count, isAsked)) lines.write({ line })
    if (!follow) return lines.end()
    this.#followed.add(lines)
    const unfollow = logs.follow((line) => {
      if (isAsked(line)) lines.write({ line })
    })
    lines.onOver(() => {
      unfollow()
      this.#followed.delete(lines)
    })
  }
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  try {
    return new URL(url, 'http://control')
  } catch {
    throw new RequestFault(400, 'this is no path')
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  sendJson(response, error instanceof RequestFault ? error.status : 500, { error: describeError(error) })
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = `${JSON.stringify(value)}\n`
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    // What is left of a body that was not read is not another request.
    ...(status !== 200 && { Connection: 'close' }),
  })
  response.end(body)
}

function describeError(error: unknown): ControlError {
  if (!(error instanceof BalancerError)) return { message: error instanceof Error ? error.message : String(error) }
  const { code, message, source, retryable } = error
  return { code, message, source, retryable }
}
