// Hears from Redis what others write (its client-side caching): Redis notes what this client reads, and says it on a second connection when somebody else writes there.
// The second one, since what RESP3 pushes into the first is not passed on by ioredis. Seen from a worker: while it can't hear, it says so, and nothing that is kept may be used unasked.

import type { RedisConnection } from './redis-connection.ts'

const CHANNEL = '__redis__:invalidate'
const RETRY_MS = { first: 100, last: 10_000 }
/** A connection that has died silently is found so. */
const PING_MS = 5000

export interface TrackingParts {
  readonly connection: RedisConnection
  /** A key's id, or undefined when it is none of a session. */
  readonly idOf: (key: string) => string | undefined
  /** An id that somebody else has written or destroyed; undefined: it may be any. */
  readonly onChanged: (id: string | undefined) => void
  /** False: nothing is heard for a while, and before the constructor returns. */
  readonly onHearing: (hears: boolean) => void
}

type Ear = NonNullable<ReturnType<RedisConnection['beside']>>

export class Tracking {
  private readonly parts: TrackingParts
  private readonly off: readonly (() => void)[]
  private ear: Ear | undefined
  private isHearing = false
  private isClosed = false
  private failures = 0
  private timer: NodeJS.Timeout | undefined

  constructor(parts: TrackingParts) {
    this.parts = parts
    const { connection } = parts
    parts.onHearing(false)
    this.off = [connection.on('ready', () => this.begin()), connection.on('lost', () => this.lose())]
    if (connection.isReady) this.begin()
  }

  close(): void {
    this.isClosed = true
    for (const off of this.off) off()
    this.lose()
  }

  /** With each connection anew: what an earlier one had read Redis has forgotten. */
  private begin(): void {
    this.lose()
    const ear = this.isClosed || !this.parts.connection.isReady ? undefined : this.parts.connection.beside()
    if (ear === undefined) return
    this.ear = ear
    ear.on('messageBuffer', (_channel: Buffer, keys: unknown) => this.ear === ear && this.hear(keys))
    ear.once('close', () => this.ear === ear && this.again())
    this.listen(ear).then(
      () => this.ear === ear && this.begun(ear),
      () => this.ear === ear && this.again(),
    )
  }

  private async listen(ear: Ear): Promise<void> {
    const client = this.parts.connection.client as Ear
    await ear.connect()
    // Ids of clients are small numbers of one server: on another it would be somebody else.
    const [here, there] = await Promise.all([client.info('server'), ear.info('server')])
    if (runIdOf(here) === undefined || runIdOf(here) !== runIdOf(there)) throw new Error('another server')
    const id = await ear.client('ID')
    await ear.subscribe(CHANNEL)
    await client.client('TRACKING', 'ON', 'REDIRECT', id, 'NOLOOP')
  }

  /** What was read before goes once more: Redis has not noted it. */
  private begun(ear: Ear): void {
    setImmediate(() => {
      if (this.ear !== ear) return
      this.failures = 0
      this.isHearing = true
      this.parts.onChanged(undefined)
      this.parts.onHearing(true)
      this.timer = setInterval(() => void ear.ping().catch(() => this.ear === ear && this.again()), PING_MS).unref()
    })
  }

  private again(): void {
    this.lose()
    if (this.isClosed) return
    const delayMs = Math.min(RETRY_MS.first * 2 ** Math.min(this.failures++, 16), RETRY_MS.last)
    this.timer = setTimeout(() => this.begin(), delayMs).unref()
  }

  private lose(): void {
    clearTimeout(this.timer)
    const [ear, heard] = [this.ear, this.isHearing]
    this.ear = undefined
    this.isHearing = false
    if (ear !== undefined && ear.status !== 'end') ear.disconnect()
    if (!heard) return
    this.parts.onHearing(false)
    this.parts.onChanged(undefined)
  }

  private hear(keys: unknown): void {
    if (!Array.isArray(keys)) return this.parts.onChanged(undefined)
    for (const key of keys) {
      const id = this.parts.idOf(String(key))
      if (id !== undefined) this.parts.onChanged(id)
    }
  }
}

function runIdOf(info: unknown): string | undefined {
  return /^run_id:(\w+)/m.exec(String(info))?.[1]
}
