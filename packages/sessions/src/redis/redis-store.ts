// Sessions in Redis: one script, one round trip for each method. Seen from a worker; other workers and other machines write there too.
// A command waits for the connection if there is none, no longer than it may take in all, and whoever does not answer several times is left alone for a while.

import { sessionIdForm } from '../session-id.ts'
import type { SessionSettings } from '../session-settings.ts'
import {
  type Found,
  MAX_TTL_MS,
  SessionIdError,
  type SessionStore,
  SessionStoreError,
  type SessionStoreStatus,
  type Written,
} from '../session-store.ts'
import { Breaker } from './breaker.ts'
import { connectRedis, type RedisClient, type RedisConnection } from './redis-connection.ts'
import { REPLIES, type ScriptName } from './scripts.ts'
import { Tracking } from './tracking.ts'

const MAX_OPEN = 10_000
/** A version of something new is unlike any that was there before. It stays far below what a double can count. */
const FIRST_VERSIONS = 2 ** 48
const SCAN_COUNT = 1000
/** Replies by which Redis says that it can't do anything at the moment, as good as none. */
const NOT_NOW = /^(LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|NOAUTH|TRYAGAIN)\b/

type RedisStoreSettings = Pick<SessionSettings, 'keyPrefix' | 'tombstoneMs' | 'commandTimeoutMs' | 'breaker'>

/** Connects, which may take `commandTimeoutMs`; a Redis that is not there then is `down` until it is. Rejects for a url or PEM files that can't be read. */
export async function openRedisStore(settings: SessionSettings): Promise<RedisStore> {
  const connection = connectRedis(settings)
  await connection.untilReady(settings.commandTimeoutMs)
  return new RedisStore(settings, connection)
}

export class RedisStore implements SessionStore {
  private readonly settings: RedisStoreSettings
  private readonly connection: RedisConnection
  private readonly breaker: Breaker
  private readonly keyStart: string
  private readonly off: () => void
  private tracking: Tracking | undefined
  private open = 0
  private counts = { commands: 0, failed: 0, sumMs: 0 }

  /** The connection, which may be on its way, is its own from now on. */
  constructor(settings: RedisStoreSettings, connection: RedisConnection) {
    this.settings = settings
    this.connection = connection
    this.breaker = new Breaker(settings.breaker)
    // All of it is what a cluster places the key by.
    this.keyStart = `{${settings.keyPrefix}:`
    this.off = connection.on('ready', () => this.breaker.succeeded())
  }

  /** For the app's own commands. */
  get client(): RedisClient {
    return this.connection.client
  }

  /** From now on the connection keeps no process alive. */
  letGo(): void {
    this.connection.letGo()
  }

  async read(id: string, known?: number): Promise<Found> {
    if (!isId(id)) return { state: 'absent' }
    return foundOf(await this.run('switchyardRead', id, known ?? ''))
  }

  async write(id: string, text: string, ttlMs: number, expected?: number): Promise<Written> {
    if (!isId(id)) throw new SessionIdError('this is no id of a session')
    const firstVersion = 1 + Math.floor(Math.random() * FIRST_VERSIONS)
    const reply = await this.run('switchyardWrite', id, text, wholeMs(ttlMs), expected ?? '', firstVersion)
    if (reply[0] === REPLIES.written) return { state: 'written', version: Number(reply[1]) }
    const found = foundOf(reply)
    return found.state === 'ended' ? { state: 'ended' } : { state: 'conflict', found }
  }

  async touch(id: string, ttlMs: number): Promise<boolean> {
    return isId(id) && (await this.run('switchyardTouch', id, wholeMs(ttlMs)))[0] === 1
  }

  async destroy(id: string, expected?: number): Promise<boolean | 'conflict'> {
    if (!isId(id)) return false
    const [had] = await this.run('switchyardDestroy', id, wholeMs(this.settings.tombstoneMs), expected ?? '')
    return had === -1 ? 'conflict' : Number(had) > 0
  }

  async ids(limit: number): Promise<readonly string[]> {
    const ids = new Set<string>()
    for await (const keys of this.scan()) {
      const found = await Promise.all(keys.map((key) => this.ask(() => this.client.hexists(key, 'v'))))
      for (const [index, key] of keys.entries()) {
        const id = this.idOf(key)
        if (found[index] === 1 && id !== undefined && ids.size < limit) ids.add(id)
      }
      if (ids.size >= limit) break
    }
    return [...ids]
  }

  async clear(): Promise<void> {
    for await (const keys of this.scan()) await Promise.all(keys.map((key) => this.ask(() => this.client.unlink(key))))
  }

  /** Not in a cluster, where keys move. Only the first listener hears. */
  onChanged(listener: (id: string | undefined) => void, onHearing: (hears: boolean) => void = () => undefined): boolean {
    if (this.connection.isCluster) return false
    this.tracking ??= new Tracking({ connection: this.connection, idOf: (key) => this.idOf(key), onChanged: listener, onHearing })
    return true
  }

  status(): SessionStoreStatus {
    return { kind: 'redis', state: this.connection.isReady && !this.breaker.isOpen ? 'up' : 'down', ...this.counts }
  }

  async close(): Promise<void> {
    this.off()
    this.tracking?.close()
    await this.connection.close()
  }

  /** The keys of sessions, in parts, some of them twice. */
  private async *scan(): AsyncGenerator<readonly string[]> {
    const pattern = `${this.keyStart.replace(/[\\*?[\]]/g, '\\$&')}*}`
    for (const node of this.connection.nodes()) {
      let cursor = '0'
      do {
        const from = cursor
        const [next, keys] = await this.ask(() => node.scan(from, 'MATCH', pattern, 'COUNT', SCAN_COUNT))
        yield keys
        cursor = next
      } while (cursor !== '0')
    }
  }

  private idOf(key: string): string | undefined {
    const id = key.startsWith(this.keyStart) && key.endsWith('}') ? key.slice(this.keyStart.length, -1) : ''
    return isId(id) ? id : undefined
  }

  private async run(name: ScriptName, id: string, ...values: readonly (string | number)[]): Promise<readonly unknown[]> {
    const reply = await this.ask(() => this.connection.run(name, `${this.keyStart}${id}}`, ...values))
    return Array.isArray(reply) ? reply : [reply]
  }

  /** Rejects with nothing but `SessionStoreError`, and in time. */
  private ask<T>(send: () => Promise<T>): Promise<T> {
    const startMs = performance.now()
    this.counts.commands += 1
    if (this.open >= MAX_OPEN) return this.refuse('too many commands are under way')
    if (!this.breaker.allows(startMs)) return this.refuse('it has not answered, and is not asked for a while')
    this.open += 1
    return new Promise((resolve, reject) => {
      let off = (): void => undefined
      let trace: ReturnType<RedisConnection['trace']>
      let [isSent, isOver] = [false, false]
      const end = (fault?: string): boolean => {
        if (isOver) return false
        isOver = true
        clearTimeout(timer)
        off()
        this.open -= 1
        this.counts.sumMs += performance.now() - startMs
        if (fault === undefined) return true
        this.counts.failed += 1
        reject(new SessionStoreError(`Redis: ${fault}`))
        return true
      }
      const giveUp = (): void => {
        if (!end(isSent ? `no answer within ${this.settings.commandTimeoutMs} ms` : `no connection (${this.connection.lastFault})`)) return
        this.breaker.failed(performance.now())
        this.connection.doubt(trace)
      }
      // Where this process itself was late the answer may be there, and is read before that.
      const timer = setTimeout(() => setImmediate(giveUp), this.settings.commandTimeoutMs)
      const fail = (error: unknown): void => {
        const { isAnswer, text } = readError(error)
        if (!end(text)) return
        if (isAnswer) this.breaker.succeeded()
        else this.breaker.failed(performance.now())
      }
      const go = (): void => {
        off()
        isSent = true
        trace = this.connection.trace()
        this.connection.gather()
        try {
          send().then((value) => {
            if (!end()) return
            this.breaker.succeeded()
            resolve(value)
          }, fail)
        } catch (error) {
          fail(error)
        }
      }
      if (this.connection.isReady) go()
      else off = this.connection.on('ready', go)
    })
  }

  private refuse(fault: string): Promise<never> {
    this.counts.failed += 1
    return Promise.reject(new SessionStoreError(`Redis: ${fault}`))
  }
}

/** May it stand in a key? Everything else is nobody's session, and Redis is not asked. */
function isId(id: unknown): boolean {
  return typeof id === 'string' && sessionIdForm.test(id)
}

function foundOf(reply: readonly unknown[]): Found {
  const [state, ttl, version, text] = reply
  const ttlMs = Math.max(0, Number(ttl))
  if (state === REPLIES.kept) return { state: 'kept', version: Number(version), text: String(text), ttlMs }
  if (state === REPLIES.same) return { state: 'same', ttlMs }
  return { state: state === REPLIES.ended ? 'ended' : 'absent' }
}

/** Redis takes whole milliseconds, and forgets at once what has none. */
function wholeMs(ms: number): number {
  return Math.min(Math.max(1, Math.ceil(ms)), MAX_TTL_MS)
}

/** An error that Redis has answered with is an answer all the same, unless it can't do anything. The error itself carries the command, so only its text goes on. */
function readError(error: unknown): { readonly isAnswer: boolean; readonly text: string } {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  if (name === 'MaxRetriesPerRequestError') return { isAnswer: false, text: 'the connection was lost' }
  return { isAnswer: name === 'ReplyError' && !NOT_NOW.test(message), text: message.slice(0, 200) }
}
