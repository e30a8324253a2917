// The attempts of a forward until its answer begins: asks for a target, tries it, and asks again if the target died without having begun.

import { STATUS_CODES } from 'node:http'
import type { ForwardConnections } from './connections.ts'
import { connectUnobserved } from './unobserved.ts'

/** Where to send a request: a worker's private socket, this worker itself, or no worker. */
export type Target = { readonly socketPath: string } | 'here' | 'none'

/** Called for each attempt; must settle in bounded time. `failed`: the sockets of workers that failed with this request. */
export type Choose = (failed: readonly string[]) => Promise<Target>

/** Shared by all forwards of a worker. */
export interface ForwardOptions {
  readonly token: string
  readonly connections: ForwardConnections
  readonly maxTries: number
}

/** How a target was lost before it answered. */
export interface Loss {
  /** The connection was refused, so nothing of the request has left this process. */
  readonly refused: boolean
  /** The error that ended the connection. */
  readonly error: Error | undefined
  /** The request can be sent again. */
  readonly repeatable: boolean
}

/** The longest time between the first and the last connection that an exiting process closes. */
const ENDING_MS = 1000

/** How long a request waits for a free descriptor. */
const SHORT_MS = 5000
const SHORT_AGAIN_MS = 50
const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** 502: no worker could serve the request. 503: no worker was available. */
export type RefusalStatus = 502 | 503

/** One forward, until its answer begins. */
export abstract class ForwardAttempts {
  protected readonly options: ForwardOptions
  /** The request is answered, refused, served here, or its client has hung up. */
  protected isOver = false
  private readonly choose: Choose
  private readonly serveHere: () => void
  private readonly failed: string[] = []
  private shortUntil: number | undefined

  constructor(options: ForwardOptions, choose: Choose, serveHere: () => void) {
    this.options = options
    this.choose = choose
    this.serveHere = serveHere
  }

  /** Sends the request to a worker. */
  protected abstract send(socketPath: string): void
  /** Answers with an error. */
  protected abstract refuse(status: RefusalStatus): void
  /** Ends the client's connection as if it were the worker's own. */
  protected abstract cut(): void
  /** Detaches from the request. False: the app can't have it any more. */
  protected abstract release(): boolean

  protected async ask(): Promise<void> {
    let target: Target = 'none'
    try {
      target = await this.choose(this.failed)
    } catch {
      // No target is known: refused below.
    }
    if (this.isOver) return
    if (target === 'none') return this.refuse(503)
    if (target !== 'here') return this.send(target.socketPath)
    if (!this.release()) return this.refuse(502)
    // Outside the promise, so that an error of the app is no unhandled rejection.
    process.nextTick(this.serveHere)
  }

  /** The worker at `socketPath` was lost before it answered. */
  protected async onLoss(socketPath: string, { refused, error, repeatable }: Loss): Promise<void> {
    if (refused && isShortage(error)) {
      const now = performance.now()
      this.shortUntil ??= now + SHORT_MS
      if (now < this.shortUntil) {
        await new Promise((resolve) => setTimeout(resolve, SHORT_AGAIN_MS))
        if (!this.isOver) await this.ask()
        return
      }
    }
    if (!refused && !(wasUnread(error) && repeatable)) {
      // The app may have ended the connection on purpose; then its client must see the same.
      const gone = await isGone(socketPath)
      if (this.isOver) return
      if (!gone) return this.cut()
    }
    if (!refused && !repeatable) return this.refuse(502)
    this.failed.push(socketPath)
    if (this.failed.length >= this.options.maxTries) return this.refuse(502)
    await this.ask()
  }
}

/** May a request with this method be sent twice? */
export function isIdempotent(method: string | undefined): boolean {
  return IDEMPOTENT.has(method ?? '')
}

/**
 * Does the error show that the other side had not read the request? Linux resets a unix socket only when it is closed with unread bytes. An end
 * without an error code comes from Node.
 */
export function wasUnread(error: Error | undefined): boolean {
  return process.platform === 'linux' && error !== undefined && 'syscall' in error
}

/** Is the cause this process, which has no descriptor or memory left, rather than the other side? */
function isShortage(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && SHORTAGES.has(error.code as string)
}

export function refusalText(status: RefusalStatus): string {
  return `${status} ${STATUS_CODES[status]}\n`
}

/** Has the worker behind this socket exited? */
function isGone(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectUnobserved(socketPath)
    const settle = (gone: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(gone)
    }
    // An exiting process may close its listener last: then this connection succeeds, and breaks soon after.
    const timer = setTimeout(settle, ENDING_MS, false)
    socket.on('error', (error) => settle(!isShortage(error)))
    socket.on('close', () => settle(true))
  })
}
