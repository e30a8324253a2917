// Connections of HTTP/2 of one client that workers have cut, for people.

import type { CutReason } from '@switchyard/worker-runtime'

export interface CutReport {
  /** Of the last one, in ms since 1970. */
  time: number
  /** Of the first one. */
  since: number
  /** An address, or a network of IPv6. */
  address: string
  /** null: it is closed. */
  listener: string | null
  reason: CutReason
  count: number
}
