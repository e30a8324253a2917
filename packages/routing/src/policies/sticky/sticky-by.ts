// By what a sticky policy knows where a head belongs.

import type { KeySource } from '../../keys.ts'
import type { TicketOptions } from './ticket-options.ts'

/** Sticky by a ticket. */
export interface ByTicket {
  readonly kind: 'ticket'
  readonly options: TicketOptions
}

/** Sticky by the hash of a key. */
export interface ByHash {
  readonly kind: 'hash'
  readonly source: KeySource
  readonly seed: string
}

/** Sticky by a cookie that the app itself sets. */
export interface ByLearning {
  readonly kind: 'learn'
  readonly cookie: string
  /** The cookie's value. */
  readonly source: KeySource
}

export type StickyBy = ByTicket | ByHash | ByLearning
