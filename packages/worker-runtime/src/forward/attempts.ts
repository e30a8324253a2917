// What every forward does before an answer has begun: ask for a target, try it, and ask again when it died without having begun.

import { STATUS_CODES } from 'node:http'
import { connect } from 'node:net'
import type { ForwardConnections } from './connections.ts'

/** Where to send a request: the private socket of a worker; this worker itself; or there is none. */
export type Target = { readonly socketPath: string } | 'here' | 'nobody'

/** Asked for each attempt; `failed`: the sockets of workers that have failed for this request. Its answer must not take for ever. */
export type Choose = (failed: readonly string[]) => Promise<Target>

/** What all forwards of a worker have in common. */
export interface ForwardParts {
  readonly token: string
  readonly connections: ForwardConnections
  readonly maxTries: number
}

/** How a target was lost before it answered. */
export interface Loss {
  /** Nothing of the request has left this process: the connection was refused. */
  readonly refused: boolean
  /** What the connection ended with. */
  readonly error: Error | undefined
  /** The request could be sent once more. */
  readonly repeatable: boolean
}

/** The longest that a process may take from its first closed connection to its last. */
const ENDING_MS = 1000

/** How long a request waits for a descriptor. */
const SHORT_MS = 5000
const SHORT_AGAIN_MS = 50
const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** What we answer with: no worker could, or there was none. */
export type RefusalStatus = 502 | 503

/** One forward, until its answer begins. */
export abstract class ForwardAttempts {
  protected readonly parts: ForwardParts
  /** Nothing is left to do for it: answered, refused, served here, or the client has left. */
  protected over = false
  private readonly choose: Choose
  private readonly serveHere: () => void
  private readonly failed: string[] = []
  private shortUntil: number | undefined

  constructor(parts: ForwardParts, choose: Choose, serveHere: () => void) {
    this.parts = parts
    this.choose = choose
    this.serveHere = serveHere
  }

  /** Sends the request to a worker. */
  protected abstract send(socketPath: string): void
  /** Answers in our own name. */
  protected abstract refuse(status: RefusalStatus): void
  /** Ends the client's connection as a worker's own would have ended. */
  protected abstract cut(): void
  /** Takes our hands off the request; false: the app can't have it any more. */
  protected abstract release(): boolean

  protected async ask(): Promise<void> {
    let target: Target = 'nobody'
    try {
      target = await this.choose(this.failed)
    } catch {
      // Nobody can say where it belongs.
    }
    if (this.over) return
    if (target === 'nobody') return this.refuse(503)
    if (target !== 'here') return this.send(target.socketPath)
    if (!this.release()) return this.refuse(502)
    // What the app throws is its own, not the fault of a promise.
    process.nextTick(this.serveHere)
  }

  /** The worker at `socketPath` has not answered. */
  protected async lose(socketPath: string, { refused, error, repeatable }: Loss): Promise<void> {
    if (refused && isShortage(error)) {
      const now = performance.now()
      this.shortUntil ??= now + SHORT_MS
      if (now < this.shortUntil) {
        await new Promise((resolve) => setTimeout(resolve, SHORT_AGAIN_MS))
        if (!this.over) await this.ask()
        return
      }
    }
    if (!refused && !(wasUnread(error) && repeatable)) {
      // It may have begun and then ended the connection: an app may wish so, and then its client shall see just that.
      const gone = await isGone(socketPath)
      if (this.over) return
      if (!gone) return this.cut()
    }
    if (!refused && !repeatable) return this.refuse(502)
    this.failed.push(socketPath)
    if (this.failed.length >= this.parts.maxTries) return this.refuse(502)
    await this.ask()
  }
}

/** May a request of this method be sent twice? */
export function isIdempotent(method: string | undefined): boolean {
  return IDEMPOTENT.has(method ?? '')
}

/**
 * Does the error tell that the other side had not read what it was sent? A unix socket of Linux is reset when it is closed with bytes unread,
 * and only then; an end without an error code comes from Node.
 */
export function wasUnread(error: Error | undefined): boolean {
  return process.platform === 'linux' && error !== undefined && 'syscall' in error
}

/** Does the error tell of this process, which has no descriptor or memory left, rather than of the other side? */
function isShortage(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && SHORTAGES.has(error.code as string)
}

export function refusalText(status: RefusalStatus): string {
  return `${status} ${STATUS_CODES[status]}\n`
}

/** Is nobody behind this socket any more? */
function isGone(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path: socketPath })
    const settle = (gone: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(gone)
    }
    // A process that ends may close its listener last: then the connection stands, and breaks.
    const timer = setTimeout(settle, ENDING_MS, false)
    socket.on('error', (error) => settle(!isShortage(error)))
    socket.on('close', () => settle(true))
  })
}
