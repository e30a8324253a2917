// Changes that other clients make, by the client-side caching of Redis: the server remembers the keys that this process reads, and reports
// each that another client writes. The reports come over a second connection, because ioredis does not pass on what RESP3 pushes into the
// first. See "Client-side caching" in the Redis documentation.

import type { RedisConnection } from './redis-connection.ts'

const CHANNEL = '__redis__:invalidate'
const RETRY_MS = { first: 100, last: 10_000 }
/** Finds a connection that died without a sign. */
const PING_MS = 5000

export interface TrackingOptions {
  readonly connection: RedisConnection
  /** The session id in a key. Undefined: the key holds no session. */
  readonly idOf: (key: string) => string | undefined
  /** Another client has written or destroyed the session. Undefined: any session may have changed. */
  readonly onChanged: (id: string | undefined) => void
  /** Called with false before the constructor returns, and whenever reports stop; called with true when they start. */
  readonly onListening: (isListening: boolean) => void
}

type MessageClient = NonNullable<ReturnType<RedisConnection['newMessageClient']>>

export class Tracking {
  private readonly options: TrackingOptions
  private readonly removeListeners: readonly (() => void)[]
  private receiver: MessageClient | undefined
  private isListening = false
  private isClosed = false
  private failures = 0
  private timer: NodeJS.Timeout | undefined

  constructor(options: TrackingOptions) {
    this.options = options
    const { connection } = options
    options.onListening(false)
    this.removeListeners = [connection.on('ready', () => this.start()), connection.on('lost', () => this.stop())]
    if (connection.isReady) this.start()
  }

  close(): void {
    this.isClosed = true
    for (const remove of this.removeListeners) remove()
    this.stop()
  }

  /** Runs for each new connection: Redis has forgotten what an earlier one read. */
  private start(): void {
    this.stop()
    const receiver = this.isClosed || !this.options.connection.isReady ? undefined : this.options.connection.newMessageClient()
    if (receiver === undefined) return
    this.receiver = receiver
    receiver.on('messageBuffer', (_channel: Buffer, keys: unknown) => this.receiver === receiver && this.onMessage(keys))
    receiver.once('close', () => this.receiver === receiver && this.retry())
    this.subscribe(receiver).then(
      () => this.receiver === receiver && this.onSubscribed(receiver),
      () => this.receiver === receiver && this.retry(),
    )
  }

  private async subscribe(receiver: MessageClient): Promise<void> {
    const client = this.options.connection.client as MessageClient
    await receiver.connect()
    // Client ids are small numbers, valid on one server: on another server the same number is another client.
    const [here, there] = await Promise.all([client.info('server'), receiver.info('server')])
    if (runIdOf(here) === undefined || runIdOf(here) !== runIdOf(there)) throw new Error('another server')
    const id = await receiver.client('ID')
    await receiver.subscribe(CHANNEL)
    await client.client('TRACKING', 'ON', 'REDIRECT', id, 'NOLOOP')
  }

  private onSubscribed(receiver: MessageClient): void {
    setImmediate(() => {
      if (this.receiver !== receiver) return
      this.failures = 0
      this.isListening = true
      // Redis does not track what was read before.
      this.options.onChanged(undefined)
      this.options.onListening(true)
      this.timer = setInterval(() => void receiver.ping().catch(() => this.receiver === receiver && this.retry()), PING_MS).unref()
    })
  }

  private retry(): void {
    this.stop()
    if (this.isClosed) return
    const delayMs = Math.min(RETRY_MS.first * 2 ** Math.min(this.failures++, 16), RETRY_MS.last)
    this.timer = setTimeout(() => this.start(), delayMs).unref()
  }

  private stop(): void {
    clearTimeout(this.timer)
    const { receiver, isListening: wasListening } = this
    this.receiver = undefined
    this.isListening = false
    if (receiver !== undefined && receiver.status !== 'end') receiver.disconnect()
    if (!wasListening) return
    this.options.onListening(false)
    this.options.onChanged(undefined)
  }

  private onMessage(keys: unknown): void {
    if (!Array.isArray(keys)) return this.options.onChanged(undefined)
    for (const key of keys) {
      const id = this.options.idOf(String(key))
      if (id !== undefined) this.options.onChanged(id)
    }
  }
}

function runIdOf(info: unknown): string | undefined {
  return /^run_id:(\w+)/m.exec(String(info))?.[1]
}
