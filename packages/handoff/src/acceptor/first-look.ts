// What follows from one look at the bytes that a client has sent so far.

import type { RequestHead } from '@switchyard/routing'
import type { RefusalReason } from './refusal.ts'

/**
 * `head`: a whole HTTP/1 head is there. `protocol`: the client speaks another protocol, or has sent a head that only the worker's parser can judge; the
 * connection is routed by address. `wait`: for more. `leave`: no more will come.
 */
export type HeadState = 'head' | 'protocol' | 'wait' | 'leave' | Extract<RefusalReason, 'head-too-large' | 'not-http' | 'ambiguous-head'>

/** Judges a head that was read off `length` bytes. `ended`: the client will send no more. */
export function headState(head: RequestHead, ended: boolean): HeadState {
  switch (head.outcome) {
    case 'complete':
      if (head.hasManyHosts) return 'ambiguous-head'
      return head.ambiguous ? 'protocol' : 'head'
    case 'incomplete':
      return ended ? 'leave' : 'wait'
    case 'too-large':
      return 'head-too-large'
    case 'not-http':
      return head.protocol === 'unknown' ? 'not-http' : 'protocol'
  }
}
