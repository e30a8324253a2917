// What a worker tells the primary of connections of HTTP/2 that were cut because their client had exceeded a limit.

import { isIP } from 'node:net'
import { isRecord } from './listen-protocol.ts'
import { Checked } from './load-messages.ts'

/**
 * `resets`: streams reset or begun wrongly; `control-bytes`: bytes beyond requests; `flood`: CONTINUATION, SETTINGS, PING, faulty frames or refused streams, by the limits
 * of Node; `protocol`: frames that the protocol does not allow.
 */
export const cutReasons = ['resets', 'control-bytes', 'flood', 'protocol'] as const

export type CutReason = (typeof cutReasons)[number]

/** Connections of one client address on one listener. */
export interface CutConnections {
  readonly listener: number
  readonly address: string
  readonly reason: CutReason
  readonly count: number
}

/** Of one message. */
export const MAX_CUTS = 64

/** The valid ones of a worker's message. */
export function readCuts(from: unknown): CutConnections[] {
  if (!Array.isArray(from)) return []
  const checked = new Checked()
  return from.slice(0, MAX_CUTS).flatMap((one: unknown): CutConnections[] => {
    if (!isRecord(one) || typeof one.address !== 'string' || isIP(one.address) === 0) return []
    const reason = cutReasons.find((known) => known === one.reason)
    const listener = checked.count(one.listener)
    return reason === undefined ? [] : [{ listener, address: one.address, reason, count: Math.max(1, checked.count(one.count)) }]
  })
}
