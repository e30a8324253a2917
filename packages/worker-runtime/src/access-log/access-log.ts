// The access log of a worker: one line for each request that its app gets, written when the request ends. Loaded only when the config asks for it.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { headLengthOf, isMoved, sentBytesOf, takeTag, waitOf } from '@switchyard/handoff'
import { clientAddress, type KeySource } from '@switchyard/routing'
import { isBetweenWorkers } from '../forward/forwarded.ts'
import type { AccessLogStart } from '../protocol.ts'
import type { Runtime } from '../runtime.ts'
import { headOf } from '../steering/steering.ts'
import type { WorkerRouteTable } from '../steering/worker-routes.ts'
import { type AccessEntry, type EndedEntry, isWhole, NO_ANSWER } from './access-entry.ts'
import { type AccessLine, accessLine } from './access-format.ts'
import { accessPipe, LineBatches } from './line-batches.ts'

const entryKey = Symbol('switchyard.access')

/** The answer to an upgrade, which the app writes to the socket itself. */
const SWITCHING = 101

interface LoggedResponse extends ServerResponse {
  [entryKey]?: OpenEntry
}

interface OpenEntry extends AccessEntry {
  /** Bytes that were sent over the connection before; -1: another response is still being written. */
  readonly sentBefore: number
}

export interface AccessLogOptions {
  readonly runtime: Runtime
  readonly start: AccessLogStart
  readonly table: WorkerRouteTable
  readonly chance: () => number
}

export class AccessLog {
  private readonly sample: number
  private readonly chance: () => number
  private readonly batches: LineBatches
  private readonly lineOf: AccessLine
  /** undefined: the client is the peer. */
  private readonly client: KeySource | undefined

  constructor({ runtime, start, table, chance }: AccessLogOptions) {
    const { pool, slot, routes, trustedProxies } = runtime.start
    this.sample = start.sample
    this.chance = chance
    this.batches = new LineBatches(accessPipe(start.pipe, (lines) => runtime.send({ switchyard: 'access-lost', lines })))
    const [only] = routes.length === 1 ? routes : []
    const routeOf = ({ entry: { request, url } }: EndedEntry): string =>
      only?.name ?? routes[table.find(headOf(request, url)).policy.index]?.name ?? ''
    this.lineOf = accessLine(start.format, { pool, slot, routeOf })
    this.client = trustedProxies.length === 0 ? undefined : clientAddress({ trustedProxies })
    process.on('exit', this.batches.flush)
  }

  /** The app is about to get the request. */
  begin(request: IncomingMessage, response: LoggedResponse): void {
    const { socket } = request
    if (this.sample < 1 && this.chance() >= this.sample) return void takeTag(socket)
    // After 'checkContinue' apps emit 'request' themselves.
    if (response[entryKey] !== undefined) return
    const isCounted = request.httpVersionMajor === 1 && response.socket !== null
    response[entryKey] = this.open(request, socket, isCounted ? sentBytesOf(socket) : -1)
  }

  /** The app is about to get the socket of an upgrade or of CONNECT. Its line is written when the connection closes. */
  beginUpgrade(request: IncomingMessage, socket: Socket): void {
    if (this.sample < 1 && this.chance() >= this.sample) return void takeTag(socket)
    const entry = this.open(request, socket, socket.bytesWritten)
    socket.once('close', () => {
      const bytes = socket.bytesWritten - entry.sentBefore
      this.write(entry, bytes > 0 ? SWITCHING : NO_ANSWER, bytes, false)
    })
  }

  /** The response is finished, or its connection has closed. */
  end(response: LoggedResponse): void {
    const entry = response[entryKey]
    if (entry === undefined) return
    const { sentBefore, request } = entry
    const bytes = sentBefore === -1 ? undefined : Math.max(0, sentBytesOf(request.socket) - sentBefore - headLengthOf(response))
    this.write(entry, response.headersSent ? response.statusCode : NO_ANSWER, bytes, !isWhole(response))
  }

  /** Sends the lines of ended requests now. */
  flush(): void {
    this.batches.flush()
  }

  private open(request: IncomingMessage, socket: Socket, sentBefore: number): OpenEntry {
    const isForwarded = isBetweenWorkers(socket)
    const tag = isForwarded ? undefined : takeTag(socket)
    return {
      request,
      url: request.url ?? '',
      address: this.client === undefined ? socket.remoteAddress : this.client.of(headOf(request)),
      beganMs: performance.now(),
      waitMs: tag === undefined ? undefined : waitOf(tag),
      placement: isForwarded ? 'forwarded' : tag !== undefined && isMoved(tag) ? 'moved' : undefined,
      sentBefore,
    }
  }

  private write(entry: OpenEntry, status: number, bytes: number | undefined, isAborted: boolean): void {
    const serviceMs = performance.now() - entry.beganMs
    this.batches.add(this.lineOf({ entry, endedMs: Date.now(), serviceMs, status, bytes, isAborted }))
  }
}
