// A table that several balancers share through Redis: each publishes its entries to the others, and Redis keeps them for balancers that
// start later. A balancer reads only its own table, so this never blocks and never throws. An entry that Redis can't take at the moment is
// not shared.

import type { SessionSettings } from '../session-settings.ts'
import { closeClient, connectRedis, type RedisClient, type RedisConnection } from './redis-connection.ts'

export interface SharedEntry {
  readonly key: string
  readonly value: string
  /** Remaining time to live. */
  readonly ttlMs: number
}

export interface SharedTable {
  /** Sends an entry to the other balancers and keeps it in Redis for `ttlMs`. */
  publish(key: string, value: string, ttlMs: number): void
  /**
   * Calls `listener` with each entry that another balancer publishes, and with all entries in Redis after the subscription was interrupted.
   */
  onChange(listener: (entry: SharedEntry) => void): void
  /** At most `limit` entries, those that expire last first. None if Redis is unreachable. */
  load(limit: number): Promise<readonly SharedEntry[]>
  close(): Promise<void>
}

type SharedTableSettings = Pick<SessionSettings, 'url' | 'tls' | 'commandTimeoutMs' | 'keyPrefix'>

const MAX_ENTRIES = 100_000
const MAX_OPEN = 1000
const MAX_TEXT_BYTES = 1024
const PAGE = 500
const RETRY_MS = 1000

/**
 * Connects in the background. `name` is part of the keys in Redis, which keeps at most `maxEntries`. `onFault` is called if the url or a
 * PEM file can't be read; then nothing is shared.
 */
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
  /** Marks the messages of this process, which Redis delivers to it too. */
  private readonly sender = Math.random().toString(36).slice(2)
  private readonly listeners: ((entry: SharedEntry) => void)[] = []
  private readonly connection: RedisConnection
  private readonly subscriber: RedisClient
  private open = 0
  private wasSubscribed = false
  private isClosed = false
  private timer: NodeJS.Timeout | undefined

  constructor(settings: SharedTableSettings, name: string, maxEntries: number, connection: RedisConnection) {
    this.settings = settings
    this.maxEntries = maxEntries
    this.connection = connection
    const tag = `{${settings.keyPrefix}:${name}}`
    this.keys = [`${tag}:values`, `${tag}:ends`]
    this.channel = `${tag}:said`
    this.subscriber = connection.subscriber()
    this.subscriber.on('message', (channel: string, message: string) => channel === this.channel && this.onMessage(message))
    this.subscriber.on('ready', () => this.subscribe())
  }

  publish(key: string, value: string, ttlMs: number): void {
    if (!this.connection.isReady || this.open >= MAX_OPEN || isTooLong(key) || isTooLong(value)) return
    const ms = Math.max(1, Math.ceil(ttlMs))
    const message = JSON.stringify([this.sender, key, value, ms])
    this.open += 1
    const done = (): void => {
      this.open -= 1
    }
    this.connection.cork()
    this.run('switchyardShare', key, value, ms, this.maxEntries, this.channel, message).then(done, done)
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
      // The entries that have arrived are returned.
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

  /** Loads what was published during an interruption. At the start the balancer calls `load` itself. */
  private async catchUp(): Promise<void> {
    if (this.wasSubscribed) for (const entry of await this.load(this.maxEntries)) this.emit(entry)
    this.wasSubscribed = true
  }

  private onMessage(message: string): void {
    try {
      const [sender, key, value, ttlMs] = JSON.parse(message)
      if (sender === this.sender || typeof key !== 'string' || typeof value !== 'string' || typeof ttlMs !== 'number') return
      if (!isTooLong(key) && !isTooLong(value)) this.emit({ key, value, ttlMs })
    } catch {
      // Not a message of a balancer.
    }
  }

  private emit(entry: SharedEntry): void {
    for (const listener of this.listeners) listener(entry)
  }

  private async run(name: 'switchyardShare' | 'switchyardShared', ...values: readonly (string | number)[]): Promise<unknown> {
    return this.connection.run(name, ...this.keys, ...values)
  }
}

function isTooLong(text: string): boolean {
  return Buffer.byteLength(text) > MAX_TEXT_BYTES
}
