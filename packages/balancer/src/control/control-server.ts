// The control socket of a primary: an HTTP server that checks each request, runs the operation, and sends its progress and result.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AdviceReport } from '../advice.ts'
import { BalancerError } from '../errors.ts'
import type { Insight } from '../insight/insight.ts'
import type { Operations } from '../operations.ts'
import { boundConnections } from '../system/bounded-connections.ts'
import { messageOf } from '../thrown-error.ts'
import { ControlLines } from './control-lines.ts'
import type {
  ControlError,
  ControlStatus,
  DashboardLink,
  LogEntry,
  LogFilesReport,
  OperationBodies,
  OperationName,
  Progress,
} from './control-protocol.ts'
import { isOperation, RequestFault, readLogQuery, readOperation } from './control-requests.ts'
import { placeSocket, type SocketPlace } from './control-socket.ts'
import { assertMethod, isQuestion, type Question, readDecisionQuery, readUserRequest, sendDecisions } from './insight-requests.ts'
import type { LogRing } from './log-ring.ts'
import { performOperation } from './perform-operation.ts'

/** Reports the progress of one operation until `stop`. */
export interface ProgressWatch {
  /** The operation has failed: reports what may explain it. */
  explain(): Promise<void>
  stop(): void
}

export interface ControlOptions extends SocketPlace {
  name: string
  version: string
  operations: Operations
  /** Starts to report the progress of an operation on one pool, or on all. */
  watchProgress(pool: string | undefined, onProgress: (progress: Progress) => void): ProgressWatch
  logs: LogRing
  /** Where older lines are. Resolves when the lines of this moment are written. Left out: nowhere. */
  findLogFiles?: (() => Promise<LogFilesReport>) | undefined
  /** Left out: the balancer can't be asked about single decisions. */
  insight?: Insight | undefined
  /** Left out: there is no dashboard. */
  createDashboardLink?: (() => Promise<DashboardLink>) | undefined
  /** Left out: this balancer gives no advice. */
  readAdvice?: (() => Promise<AdviceReport>) | undefined
  /** How long a client may take to send its request. Default 5000. */
  requestTimeoutMs?: number | undefined
}

/** An open control socket. */
export interface ControlServer {
  path: string
  /** Finishes the answers, ends the followers of the log, and removes the socket. */
  close(): Promise<void>
}

const MAX_CONNECTIONS = 32
/** Less than MAX_CONNECTIONS, so that followers leave connections for other commands. */
const MAX_FOLLOWERS = 16
const REQUEST_TIMEOUT_MS = 5_000
const CLOSE_TIMEOUT_MS = 1_000

/** Opens the socket. Throws ERR_CONTROL. */
export async function openControl(options: ControlOptions): Promise<ControlServer> {
  const { path, takeOver, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options
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
  boundConnections(server, MAX_CONNECTIONS)
  const socket = await placeSocket(server, { path, takeOver })
  // Such as EMFILE on accept: the next connection may succeed.
  server.on('error', () => {})
  return {
    path,
    async close() {
      socket.remove()
      const closed = new Promise((resolve) => server.close(resolve))
      await control.finish(CLOSE_TIMEOUT_MS)
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS)
      await closed
      clearTimeout(timer)
    },
  }
}

class Control {
  private readonly options: ControlOptions
  private readonly openedAt = Date.now()
  private readonly running = new Set<Promise<void>>()
  private readonly followers = new Set<ControlLines>()

  constructor(options: ControlOptions) {
    this.options = options
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client may hang up at any time.
    response.on('error', () => {})
    try {
      await this.route(request, response)
    } catch (error) {
      request.resume()
      refuse(response, error)
    }
  }

  /** Resolves when every operation has been answered, or after the timeout. */
  async finish(timeoutMs: number): Promise<void> {
    for (const lines of this.followers) lines.end()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([Promise.all(this.running), late])
    clearTimeout(timer)
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = urlOf(request)
    const name = pathname.slice(1)
    if (name === 'status' || name === 'logs' || name === 'log-files' || name === 'advice') {
      if (request.method !== 'GET') throw new RequestFault(405, `'${name}' needs the method GET`)
      if (name === 'logs') return this.sendLogs(searchParams, response)
      if (name === 'advice') return sendJson(response, 200, await this.advice())
      return sendJson(response, 200, name === 'status' ? this.status() : await this.logFiles())
    }
    if (isQuestion(name)) return this.answerQuestion(name, request, searchParams, response)
    if (name === 'dashboard-link') {
      if (request.method !== 'POST') throw new RequestFault(405, `'${name}' needs the method POST`)
      request.resume()
      return sendJson(response, 200, (await this.options.createDashboardLink?.()) ?? { url: null })
    }
    if (!isOperation(name)) throw new RequestFault(404, `there is no operation '${name}'`)
    if (request.method !== 'POST') throw new RequestFault(405, `'${name}' needs the method POST`)
    const body = await readOperation(name, request)
    const running = this.run(name, body, response)
    this.running.add(running)
    await running.finally(() => this.running.delete(running))
  }

  private async answerQuestion(name: Question, request: IncomingMessage, search: URLSearchParams, response: ServerResponse): Promise<void> {
    const { insight } = this.options
    if (insight === undefined) throw new RequestFault(404, `this balancer does not answer '${name}'`)
    assertMethod(name, request.method)
    if (name === 'errors') return sendJson(response, 200, await insight.badHeads())
    if (name === 'upstream-errors') return sendJson(response, 200, insight.failedExchanges)
    if (name === 'cuts') return sendJson(response, 200, insight.cutConnections())
    if (name === 'explain') return sendJson(response, 200, await insight.explain(await readUserRequest(request)))
    const query = readDecisionQuery(search, insight.routeNames)
    if (query.follow === true) this.assertMayFollow()
    const lines = new ControlLines(response, (lost) => ({ lost }))
    const stop = sendDecisions(insight, query, lines)
    if (stop !== undefined) this.addFollower(lines, stop)
  }

  private assertMayFollow(): void {
    if (this.followers.size >= MAX_FOLLOWERS)
      throw new RequestFault(503, `${MAX_FOLLOWERS} clients follow the log or the decisions already`)
  }

  private addFollower(lines: ControlLines, stop: () => void): void {
    this.followers.add(lines)
    lines.onOver(() => {
      stop()
      this.followers.delete(lines)
    })
  }

  private status(): ControlStatus {
    const { name, version, operations } = this.options
    return { name, pid: process.pid, version, upMs: Date.now() - this.openedAt, ...operations.status() }
  }

  private async advice(): Promise<AdviceReport> {
    return (await this.options.readAdvice?.()) ?? { isOn: false, watchedMs: 0, advice: [] }
  }

  private async logFiles(): Promise<LogFilesReport> {
    return (await this.options.findLogFiles?.()) ?? { own: null, workers: null }
  }

  /** An operation continues if the client disconnects. */
  private async run<Name extends OperationName>(name: Name, body: OperationBodies[Name], response: ServerResponse): Promise<void> {
    const lines = new ControlLines(response)
    let watch: ProgressWatch | undefined
    try {
      const pool = this.poolOf(name, body as { pool?: string })
      watch = this.options.watchProgress(pool, (progress) => lines.write({ progress }))
      const started = watch
      lines.onOver(() => started.stop())
      lines.end({ result: await performOperation(this.options.operations, name, body, pool) })
    } catch (error) {
      if (!lines.isOver) await watch?.explain()
      lines.end({ error: describeError(error) })
    } finally {
      watch?.stop()
    }
  }

  private poolOf(name: OperationName, body: { pool?: string | undefined }): string | undefined {
    if (name !== 'scale' && name !== 'drain' && name !== 'restart') return body.pool
    const names = this.options.operations.status().pools.map((pool) => pool.name)
    if (body.pool === undefined && name === 'scale' && names.length > 1)
      throw new BalancerError('ERR_UNKNOWN_SEAT', `there are several pools: name one of ${names.join(', ')}`, { source: 'system' })
    return body.pool ?? names[0]
  }

  private sendLogs(search: URLSearchParams, response: ServerResponse): void {
    const { lines: count, follow, mark, pool, slot } = readLogQuery(search)
    if (follow) this.assertMayFollow()
    const { logs } = this.options
    const matches = (entry: LogEntry): boolean => (pool === undefined || entry.pool === pool) && (slot === undefined || entry.slot === slot)
    const lines = new ControlLines(response, (lost) => ({ lost }))
    const kept = logs.last(count, matches)
    for (const line of kept) lines.writeKept({ line })
    if (mark) lines.writeKept({ kept: kept.length })
    if (!follow) return lines.end()
    const unfollow = logs.follow((line) => {
      if (matches(line)) lines.write({ line })
    })
    this.addFollower(lines, unfollow)
  }
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  try {
    return new URL(url, 'http://control')
  } catch {
    throw new RequestFault(400, 'the path is not valid')
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
    // The rest of an unread body must not be parsed as the next request.
    ...(status !== 200 && { Connection: 'close' }),
  })
  response.end(body)
}

function describeError(error: unknown): ControlError {
  if (!(error instanceof BalancerError)) return { message: messageOf(error) }
  const { code, message, source, retryable } = error
  return { code, message, source, retryable }
}
