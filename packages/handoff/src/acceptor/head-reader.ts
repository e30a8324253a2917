// Reads the head of a request from the bytes that a client has sent so far, and decides what follows for the connection.

import { type ListenerProtocol, mayBeSpoken, RequestHead } from '@switchyard/routing'
import type { HeadBounds } from './acceptor.ts'
import type { RefusalReason } from './refusal.ts'

/**
 * `complete`: a whole HTTP/1 head or ClientHello. `by-address`: the client speaks another protocol, or only the worker's parser or TLS stack can
 * judge its head. `longer`: the head is too long, and passes without being read. `wait`: the head is incomplete. `ended`: it is incomplete, and the client
 * sends no more. Otherwise the reason to refuse it.
 */
export type HeadState =
  | 'complete'
  | 'by-address'
  | 'longer'
  | 'wait'
  | 'ended'
  | Extract<RefusalReason, 'head-too-large' | 'not-http' | 'ambiguous-head'>

export class HeadReader {
  maxHeadBytes: number
  private passesLonger: boolean

  constructor({ maxHeadBytes, passesLonger = false }: HeadBounds) {
    this.maxHeadBytes = maxHeadBytes
    this.passesLonger = passesLonger
  }

  /** Raises the bounds, never lowers them. Returns whether a head may be longer than before. */
  allow({ maxHeadBytes, passesLonger = false }: HeadBounds): boolean {
    this.passesLonger ||= passesLonger
    if (maxHeadBytes <= this.maxHeadBytes) return false
    this.maxHeadBytes = maxHeadBytes
    return true
  }

  read(bytes: Buffer, length: number): RequestHead {
    return RequestHead.read(bytes, length, this.maxHeadBytes)
  }

  /** `ended`: the client sends no more. `protocol`: what the clients of the listener speak. */
  stateOf(head: RequestHead, ended: boolean, protocol: ListenerProtocol): HeadState {
    // The TLS stack of a worker answers a client that does not speak TLS.
    if (!mayBeSpoken(protocol, head.outcome, head.protocol)) return protocol === 'tls' ? 'by-address' : 'not-http'
    switch (head.outcome) {
      case 'complete':
        if (head.hasManyHosts) return 'ambiguous-head'
        return head.ambiguous ? 'by-address' : 'complete'
      case 'incomplete':
        return ended ? 'ended' : 'wait'
      case 'too-large':
        return this.passesLonger ? 'longer' : 'head-too-large'
      case 'not-http':
        return head.protocol === 'unknown' ? 'not-http' : 'by-address'
    }
  }
}
