// Policies and keys as plain data: how a config in JSON says them, and how another process is told to make the same.

import type { ClientAddressOptions } from '../head/client-address.ts'
import type { LeastBusyOptions } from './least-busy.ts'
import type { TicketOptions } from './sticky/ticket-options.ts'

export type PolicyName = 'least-busy' | 'least-in-flight' | 'round-robin'

/** A key source as JSON. Left out, the trusted proxies of `client-address` are those of the scope, see `policyFromData`. */
export type KeyData =
  | 'client-address'
  | { readonly 'client-address': ClientAddressOptions }
  | { readonly cookie: string }
  | { readonly header: string }
  | { readonly query: string }
  | { readonly 'path-segment': number }

/** A sticky policy as JSON: by a signed ticket, by a cookie that the app sets, or by the hash of a key. What is left out is as in `sticky`. */
export interface StickyData {
  readonly sticky: {
    readonly by: 'ticket' | { readonly ticket: TicketOptions } | { readonly learn: string } | KeyData
    /** Of the hash; a ticket or a learned cookie has none. */
    readonly seed?: string | undefined
    readonly otherwise?: PolicyData | undefined
    readonly breakAt?: number | undefined
    readonly breakFloor?: number | undefined
  }
}

/** Least busy as JSON when it has options. */
export interface LeastBusyData {
  readonly 'least-busy': LeastBusyOptions
}

/** A policy as JSON. */
export type PolicyData = PolicyName | LeastBusyData | StickyData
