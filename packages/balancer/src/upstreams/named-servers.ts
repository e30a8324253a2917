// The servers of one pool, with the addresses of those that the config gives by name.

import type { UpstreamTarget } from '@switchyard/worker-runtime'
import { type DnsSettings, nameToLookUp, type UpstreamSettings } from '../upstream-settings.ts'
import type { ResolveName } from './name-resolver.ts'
import { NameWatch } from './name-watch.ts'
import { ServerCounts } from './server-counts.ts'
import { type ServerRow, ServerTable } from './server-table.ts'

export interface NamedServersOptions {
  readonly pool: string
  readonly resolverFor: (dns: DnsSettings) => ResolveName
  /** Addresses of a name have changed. */
  readonly onChanged: () => void
  readonly onNotice: (level: 'info' | 'warn', message: string) => void
  /** 0 to 1. */
  readonly chance: () => number
}

export class NamedServers {
  readonly table = new ServerTable()
  readonly counts: ServerCounts
  /** Grows with each change of the list. */
  version = 0
  /** What another primary has told of the slots. */
  restored: readonly ServerRow[] = []
  private readonly options: NamedServersOptions
  private settings: UpstreamSettings | undefined
  private watches = new Map<string, NameWatch>()

  constructor(options: NamedServersOptions) {
    this.options = options
    this.counts = new ServerCounts({
      pool: options.pool,
      nameOf: (slot, generation) => {
        const row = this.table.row(slot)
        return row?.generation === generation ? row : undefined
      },
    })
  }

  get targets(): UpstreamTarget[] {
    return this.table.targets
  }

  configure(settings: UpstreamSettings): void {
    const before = this.settings
    this.settings = settings
    const names = new Set(settings.servers.flatMap((server) => nameToLookUp(server) ?? []))
    const isOther = before !== undefined && JSON.stringify(before.dns) !== JSON.stringify(settings.dns)
    for (const [host, watch] of this.watches) {
      if (names.has(host) && !isOther) continue
      watch.stop()
      this.watches.delete(host)
    }
    this.update()
    const { resolverFor, onNotice, chance } = this.options
    const resolve = names.size === 0 ? undefined : resolverFor(settings.dns)
    for (const host of names) {
      if (resolve === undefined || this.watches.has(host)) continue
      const onAddresses = (addresses: readonly string[]): void => {
        const known = before !== undefined || this.version > 1
        if (known) onNotice('info', `${host} has ${addresses.length === 1 ? 'the address' : 'the addresses'} ${addresses.join(', ')} now`)
        this.update()
        this.options.onChanged()
      }
      this.watches.set(host, new NameWatch({ host, settings: settings.dns, resolve, onAddresses, onNotice, chance }))
    }
  }

  /** Slots of another primary's table. */
  restore(rows: readonly ServerRow[]): void {
    this.restored = rows
    this.table.restore(rows)
    this.version++
  }

  /** Looks the name of this slot's server up now. */
  refresh(slot: number): void {
    const name = this.table.row(slot)?.name
    const server = this.settings?.servers.find((one) => one.name === name)
    const host = server && nameToLookUp(server)
    if (host !== undefined) this.watches.get(host)?.refresh()
  }

  stop(): void {
    for (const watch of this.watches.values()) watch.stop()
    this.watches.clear()
  }

  private update(): void {
    const { servers, weights } = this.settings as UpstreamSettings
    this.table.update(
      servers.map((server, index) => {
        const host = nameToLookUp(server)
        return { server, weight: weights[index] ?? 1, addresses: host === undefined ? undefined : this.addressesOf(server.name, host) }
      }),
    )
    this.version++
  }

  /** Until the name was looked up here, its addresses are those that the old primary knew. */
  private addressesOf(name: string, host: string): readonly string[] | undefined {
    const known = this.watches.get(host)?.addresses
    if (known !== undefined) return known
    const before = this.restored.flatMap((row) => (row.name === name && row.isUsed && row.address !== undefined ? [row.address] : []))
    return before.length === 0 ? undefined : before
  }
}
