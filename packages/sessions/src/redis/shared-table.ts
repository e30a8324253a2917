// A table that several balancers share through Redis: who learns something says it to the others, and it is kept for those that start later. Seen from one of them, which
// has a table of its own and asks only that: here nothing is waited for, nothing throws, and what Redis can't take at the moment is not shared.

import type { SessionSettings } from '../session-settings.ts'
import { closeClient, connectRedis, type RedisClient, type RedisConnection } from './redis-connection.ts'

export interface SharedEntry {
  readonly key: string
  readonly value: string
  /** What is left of its time. */
  readonly ttlMs: number
}

export interface SharedTable {
  /** Tells the others, and keeps it for `ttlMs`. */
  publish(key: string, value: string, ttlMs: number): void
  /** Calls `listener` with what others publish, and with what is kept there after this one could not hear for a while. */
  onChange(listener: (entry: SharedEntry) => void): void
  /** What is kept, those that last longest first, at most `limit`; nothing when Redis can't be asked. */
  load(limit: number): Promise<readonly SharedEntry[]>
  close(): Promise<void>
}

type SharedTableSettings = Pick<SessionSettings, 'url' | 'tls' | 'commandTimeoutMs' | 'keyPrefix'>

const MAX_ENTRIES = 100_000
const MAX_OPEN = 1000
const MAX_TEXT_BYTES = 1024
const PAGE = 500
const RETRY_MS = 1000

/** Connects in the background. `name` stands in its keys; more than `maxEntries` are not kept. `onFault` hears of a url or PEM files that can't be read. */
export function openSharedTable(
  settings: SharedTableSettings,
  name: string,
  { maxEntries = MAX_ENTRIES, onFault = () => undefined }: { maxEntries?: number; onFault?: (error: unknown) => void } = {},
): SharedTable {
  try {
    return new RedisTable(settings, name, maxEntries, connectRedis(settings))
  } catch (error) {
    onFault(error)
    return { publish: () => undefined, onChange: () => undefined, load: async () => [], close: async () => undefined }
  }
}

class RedisTable implements SharedTable {
  private readonly settings: SharedTableSettings
  private readonly maxEntries: number
  private readonly keys: readonly [values: string, ends: string]
  private readonly channel: string
  /** What it says itself comes back to it. */
  private readonly own = Math.random().toString(36).slice(2)
  private readonly listeners: ((entry: SharedEntry) => void)[] = []
  private readonly connection: RedisConnection
  private readonly subscriber: RedisClient
  private open = 0
  private hasHeard = false
  private isClosed = false
  private timer: NodeJS.Timeout | undefined

  constructor(settings: SharedTableSettings, name: string, maxEntries: number, connection: RedisConnection) {
    this.settings = settings
    this.maxEntries = maxEntries
    this.connection = connection
    const tag = `{${settings.keyPrefix}:${name}}`
    this.keys = [`${tag}:values`, `${tag}:ends`]
    this.channel = `${tag}:said`
    this.subscriber = connection.forSubscribing()
    this.subscriber.on('message', (channel: string, said: string) => channel === this.channel && this.hear(said))
    this.subscriber.on('ready', () => this.subscribe())
  }

  publish(key: string, value: string, ttlMs: number): void {
    if (!this.connection.isReady || this.open >= MAX_OPEN || isTooLong(key) || isTooLong(value)) return
    const ms = Math.max(1, Math.ceil(ttlMs))
    const said = JSON.stringify([this.own, key, value, ms])
    this.open += 1
    const done = (): void => {
      this.open -= 1
    }
    this.connection.gather()
    this.run('switchyardShare', key, value, ms, this.maxEntries, this.channel, said).then(done, done)
  }

  onChange(listener: (entry: SharedEntry) => void): void {
    this.listeners.push(listener)
  }

  async load(limit: number): Promise<readonly SharedEntry[]> {
    const entries: SharedEntry[] = []
    try {
      await this.connection.untilReady(this.settings.commandTimeoutMs)
      while (entries.length < limit) {
        const page = await this.run('switchyardShared', entries.length, Math.min(PAGE, limit - entries.length))
        if (!Array.isArray(page) || page.length === 0) break
        for (let at = 0; at + 2 < page.length; at += 3)
          entries.push({ key: String(page[at]), value: String(page[at + 1]), ttlMs: Math.max(0, Number(page[at + 2])) })
      }
    } catch {
      // What has come is all there is.
    }
    return entries
  }

  async close(): Promise<void> {
    this.isClosed = true
    clearTimeout(this.timer)
    const { connection, subscriber, settings } = this
    if (subscriber !== connection.client) await closeClient(subscriber, settings.commandTimeoutMs)
    await connection.close()
  }

  private subscribe(): void {
    const { subscriber, channel } = this
    clearTimeout(this.timer)
    subscriber.subscribe(channel).then(
      () => this.catchUp(),
      () => {
        if (!this.isClosed && subscriber.status === 'ready') this.timer = setTimeout(() => this.subscribe(), RETRY_MS).unref()
      },
    )
  }

  /** What was said while this one could not hear. At its start it loads what it wants. */
  private async catchUp(): Promise<void> {
    if (this.hasHeard) for (const entry of await this.load(this.maxEntries)) this.tell(entry)
    this.hasHeard = true
  }

  private hear(said: string): void {
    try {
      const [from, key, value, ttlMs] = JSON.parse(said)
      if (from === this.own || typeof key !== 'string' || typeof value !== 'string' || typeof ttlMs !== 'number') return
      if (!isTooLong(key) && !isTooLong(value)) this.tell({ key, value, ttlMs })
    } catch {
      // It was not one of us.
    }
  }

  private tell(entry: SharedEntry): void {
    for (const listener of this.listeners) listener(entry)
  }

  private async run(name: 'switchyardShare' | 'switchyardShared', ...values: readonly (string | number)[]): Promise<unknown> {
    return this.connection.run(name, ...this.keys, ...values)
  }
}

function isTooLong(text: string): boolean {
  return Buffer.byteLength(text) > MAX_TEXT_BYTES
}
