// The attempts of one proxied request until its answer begins: asks for a server, sends, and tries another one when that is safe.

import type { IncomingMessage } from 'node:http'
import type { Policy, RequestHead } from '@switchyard/routing'
import { FAILURES, type FailureReason } from '../connection/failure.ts'
import type { UpstreamServer } from '../servers/upstream-server.ts'
import type { UpstreamServers } from '../servers/upstream-servers.ts'

/** Servers that one request tries. */
const MAX_TRIES = 3

/** How an attempt ended before an answer. */
export interface Loss {
  readonly reason: FailureReason
  /** Nothing of the request has left this process. */
  readonly isUnsent: boolean
  /** Sending the request a second time does the same as once, and all of it is at hand (RFC 9110 §9.2.2). */
  readonly isRepeatable: boolean
  /** The connection had served before, so its end may mean only that it was idle for too long. */
  readonly isReused: boolean
}

export interface AttemptContext {
  readonly servers: UpstreamServers
  readonly policyOf: (request: IncomingMessage) => { readonly policy: Policy; readonly head: RequestHead }
  readonly onFailure: (reason: FailureReason, server: UpstreamServer | undefined, request: IncomingMessage) => void
  readonly onSent: (server: UpstreamServer, request: IncomingMessage) => void
  /** An answer of the server has begun, after this time. */
  readonly onAnswered: (ms: number, request: IncomingMessage) => void
  /** The request is sent again, to this server or another one. */
  readonly onRetry: (reason: FailureReason, server: UpstreamServer | undefined) => void
  /** How long a request waits for a connection. */
  readonly queueTimeoutMs: number
  readonly now: () => number
}

export abstract class UpstreamAttempts {
  protected readonly context: AttemptContext
  protected readonly request: IncomingMessage
  /** Answered, refused, or its client has hung up. */
  protected isOver = false
  protected server: UpstreamServer | undefined
  protected sentAtMs = 0
  private readonly tried: UpstreamServer[] = []
  private hasRepeated = false
  private stopWaiting: (() => void) | undefined
  private waitsUntilMs: number | undefined

  constructor(context: AttemptContext, request: IncomingMessage) {
    this.context = context
    this.request = request
    context.servers.budget.earn()
  }

  protected abstract send(server: UpstreamServer): void
  protected abstract refuse(status: number, reason: string): void

  protected choose(): void {
    const { servers, policyOf } = this.context
    const { policy, head } = policyOf(this.request)
    const server = servers.pick(policy, head, this.tried)
    if (server === undefined) return this.wait()
    this.server = server
    this.sentAtMs = this.context.now()
    server.begin()
    this.context.onSent(server, this.request)
    this.send(server)
  }

  /** An answer has begun. */
  protected onAnswer(): void {
    const ms = this.context.now() - this.sentAtMs
    this.server?.succeed(ms)
    this.context.onAnswered(ms, this.request)
  }

  /** The attempt has ended, with or without an answer. Does nothing the second time. */
  protected endAttempt(): void {
    const { server } = this
    this.server = undefined
    if (server !== undefined) this.context.servers.end(server)
  }

  protected onLoss(loss: Loss): void {
    const { servers, onFailure, onRetry } = this.context
    const { server } = this
    // A connection that was idle for too long says nothing of its server.
    const isFault = loss.reason !== 'client-timeout' && !(loss.isReused && loss.reason === 'closed-early')
    if (server !== undefined && isFault) servers.fail(server, loss.reason)
    if (server !== undefined) this.tried.push(server)
    this.endAttempt()
    if (this.isOver) return
    if (this.mayTryAgain(loss)) {
      onRetry(loss.reason, server)
      if (loss.isReused) server?.connections.forgetIdle()
      return this.choose()
    }
    onFailure(loss.reason, server, this.request)
    this.refuse(FAILURES[loss.reason], loss.reason)
  }

  /** The client has hung up, or the request is refused. */
  protected stop(): void {
    this.isOver = true
    this.stopWaiting?.()
    this.endAttempt()
  }

  private mayTryAgain({ reason, isUnsent, isRepeatable }: Loss): boolean {
    const { servers } = this.context
    if (this.tried.length >= MAX_TRIES) return false
    if (isUnsent) return servers.hasOther(this.tried)
    // A request without an answer in time may be in work. Another copy would make things worse.
    if (this.hasRepeated || !isRepeatable || reason !== 'closed-early' || !servers.budget.spend()) return false
    this.hasRepeated = true
    return true
  }

  private wait(): void {
    const { servers, onFailure, now, queueTimeoutMs } = this.context
    this.waitsUntilMs ??= now() + queueTimeoutMs
    const refuse = () => {
      this.stopWaiting = undefined
      onFailure('no-connection', undefined, this.request)
      this.refuse(FAILURES['no-connection'], 'no-connection')
    }
    const onRoom = () => {
      this.stopWaiting = undefined
      if (!this.isOver) this.choose()
    }
    this.stopWaiting = servers.wait(onRoom, refuse, this.waitsUntilMs - now())
    if (this.stopWaiting === undefined) refuse()
  }
}
