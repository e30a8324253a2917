// Refuses new connections of clients whose connections of HTTP/2 were cut again and again: to open the next one costs them less than it costs a worker.

import type { CutConnections, CutReason } from '@switchyard/worker-runtime'
import type { RefusedClient } from '../events.ts'
import type { AttackerSettings } from '../listener-settings.ts'
import { addressGroup, isPrivateAddress } from './address-group.ts'

/** Time in which cut connections are summed up. */
const WINDOW_MS = 10_000
const MAX_CLIENTS = 1024
/** Clients of which the log says that they are refused, in one minute. */
const MAX_REPORTS = 10
const REPORTS_MS = 60_000
/** A faulty client sends frames that the protocol does not allow. It need not be an attacker. */
const HARMLESS: ReadonlySet<CutReason> = new Set(['protocol'])

export interface RefusedClientsOptions {
  /** Of a listener; undefined: HTTP/2 does not end behind it. */
  readonly settingsOf: (listener: number) => AttackerSettings | undefined
  /** Does a client of this address stand for many others? */
  readonly isTrusted: (listener: number, address: string) => boolean
  readonly onRefused: (client: RefusedClient) => void
}

interface Client {
  readonly sinceMs: number
  cuts: number
  /** 0: it is not refused. */
  readonly untilMs: number
}

export class RefusedClients {
  private readonly options: RefusedClientsOptions
  /** By address, the one that was last cut last. */
  private readonly clients = new Map<string, Client>()
  /** No client is refused after it. */
  private lastUntilMs = 0
  private reports = { sinceMs: 0, count: 0, more: 0 }

  constructor(options: RefusedClientsOptions) {
    this.options = options
  }

  /** A worker has cut connections. It may lie, so the time is bounded for which it can have a client refused, and the number of them. */
  record({ listener, address, reason, count }: CutConnections, nowMs: number): void {
    const { settingsOf, isTrusted } = this.options
    const settings = settingsOf(listener)
    if (settings === undefined || settings.refuseAfterCuts === 0 || HARMLESS.has(reason) || isTrusted(listener, address)) return
    if (!settings.refusePrivate && isPrivateAddress(address)) return
    const group = addressGroup(address)
    const known = this.clients.get(group)
    const client = known !== undefined && nowMs - known.sinceMs < WINDOW_MS ? known : { sinceMs: nowMs, cuts: 0, untilMs: 0 }
    client.cuts += count
    this.clients.delete(group)
    this.clients.set(group, client)
    if (this.clients.size > MAX_CLIENTS) this.clients.delete(this.clients.keys().next().value as string)
    if (client.cuts < settings.refuseAfterCuts || client.untilMs > nowMs) return
    const forMs = settings.refuseMs
    this.clients.set(group, { sinceMs: nowMs, cuts: 0, untilMs: nowMs + forMs })
    this.lastUntilMs = Math.max(this.lastUntilMs, nowMs + forMs)
    this.report({ address: group, reason, cuts: client.cuts, forMs }, nowMs)
  }

  /** Is a new connection refused? */
  refuses(listener: number, address: string | undefined, nowMs: number): boolean {
    if (address === undefined || this.options.settingsOf(listener) === undefined) return false
    return (this.clients.get(addressGroup(address))?.untilMs ?? 0) > nowMs
  }

  /** Is any client refused? Asked of each connection. */
  isOn(): boolean {
    if (this.lastUntilMs === 0) return false
    if (this.lastUntilMs > performance.now()) return true
    this.lastUntilMs = 0
    return false
  }

  /** Refuses no client any more. */
  clear(): void {
    this.clients.clear()
    this.lastUntilMs = 0
  }

  private report(client: Omit<RefusedClient, 'more'>, nowMs: number): void {
    if (nowMs - this.reports.sinceMs >= REPORTS_MS) this.reports = { sinceMs: nowMs, count: 0, more: this.reports.more }
    if (++this.reports.count > MAX_REPORTS) {
      this.reports.more++
      return
    }
    const { more } = this.reports
    this.reports.more = 0
    this.options.onRefused({ ...client, more })
  }
}
