// The three ways in which a sticky policy finds the worker that a head belongs to.

import type { KeySource } from '../../keys.ts'
import type { TicketOptions } from '../../policy-data.ts'

export interface ByTicket {
  readonly kind: 'ticket'
  readonly options: TicketOptions
}

/** By the hash of a key. */
export interface ByHash {
  readonly kind: 'hash'
  readonly source: KeySource
  readonly seed: string
}

/** By a cookie that the app itself sets. */
export interface ByLearning {
  readonly kind: 'learn'
  readonly cookie: string
  /** The cookie's value. */
  readonly source: KeySource
}

export type StickyBy = ByTicket | ByHash | ByLearning
