// What follows from one look at the bytes that a client has sent so far.

import type { RequestHead } from '@switchyard/routing'
import type { RefusalReason } from './refusal.ts'

/** `head`: a whole HTTP/1 head is there. `protocol`: it speaks another protocol, and is routed by address. `wait`: for more. `leave`: no more will come. */
export type FirstLook = 'head' | 'protocol' | 'wait' | 'leave' | Extract<RefusalReason, 'head-too-large' | 'not-http'>

/** Judges a head that was read off `length` bytes. `ended`: the client will send no more. */
export function firstLook(head: RequestHead, ended: boolean): FirstLook {
  switch (head.outcome) {
    case 'complete':
      return 'head'
    case 'incomplete':
      return ended ? 'leave' : 'wait'
    case 'too-large':
      return 'head-too-large'
    case 'not-http':
      return head.protocol === 'unknown' ? 'not-http' : 'protocol'
  }
}
