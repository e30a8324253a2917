// Sessions in Redis, which other workers and other machines write too. Each method is one script and one round trip.
// A command without a connection waits for one within its time limit. A circuit breaker stops commands after several failures in a row.

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
import { connectRedis, type RedisClient, type RedisConnection, type SocketProgress } from './redis-connection.ts'
import { REPLIES, type ScriptName } from './scripts.ts'
import { Tracking } from './tracking.ts'

const MAX_OPEN = 10_000
/**
 * The first version of a session is random, so that it differs from those of an earlier session under this id. Far below the precision of a
 * double.
 */
const FIRST_VERSIONS = 2 ** 48
const SCAN_COUNT = 1000
/** Errors of a server that can't run any command at the moment: they count as no answer. */
const NOT_NOW = /^(LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|NOAUTH|TRYAGAIN)\b/

type RedisStoreSettings = Pick<SessionSettings, 'keyPrefix' | 'tombstoneMs' | 'commandTimeoutMs' | 'breaker'>

/**
 * Waits up to `commandTimeoutMs` for the connection. Without one the store is `down`, and keeps connecting. Rejects if the url or a PEM
 * file can't be read.
 */
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
  private readonly removeListener: () => void
  private tracking: Tracking | undefined
  private open = 0
  private counts = { commands: 0, failed: 0, sumMs: 0 }

  /** Owns the connection, which need not be ready, and closes it. */
  constructor(settings: RedisStoreSettings, connection: RedisConnection) {
    this.settings = settings
    this.connection = connection
    this.breaker = new Breaker(settings.breaker)
    // The braces make the whole key the hash tag of a cluster.
    this.keyStart = `{${settings.keyPrefix}:`
    this.removeListener = connection.on('ready', () => this.breaker.succeeded())
  }

  /** For commands of the app. */
  get client(): RedisClient {
    return this.connection.client
  }

  /** The connection no longer keeps the process alive. */
  letGo(): void {
    this.connection.unref()
  }

  async read(id: string, known?: number): Promise<Found> {
    if (!isId(id)) return { state: 'absent' }
    return foundOf(await this.run('switchyardRead', id, known ?? ''))
  }

  async write(id: string, text: string, ttlMs: number, expected?: number): Promise<Written> {
    if (!isId(id)) throw new SessionIdError('a session id has up to 128 characters of A-Z, a-z, 0-9 and ._~-')
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
      const found = await Promise.all(keys.map((key) => this.send(() => this.client.hexists(key, 'v'))))
      for (const [index, key] of keys.entries()) {
        const id = this.idOf(key)
        if (found[index] === 1 && id !== undefined && ids.size < limit) ids.add(id)
      }
      if (ids.size >= limit) break
    }
    return [...ids]
  }

  async clear(): Promise<void> {
    for await (const keys of this.scan()) await Promise.all(keys.map((key) => this.send(() => this.client.unlink(key))))
  }

  /** Not in a cluster, where keys move between servers. Only the first listener is used. */
  onChanged(listener: (id: string | undefined) => void, onListening: (isListening: boolean) => void = () => undefined): boolean {
    if (this.connection.isCluster) return false
    this.tracking ??= new Tracking({ connection: this.connection, idOf: (key) => this.idOf(key), onChanged: listener, onListening })
    return true
  }

  status(): SessionStoreStatus {
    return { kind: 'redis', state: this.connection.isReady && !this.breaker.isOpen ? 'up' : 'down', ...this.counts }
  }

  async close(): Promise<void> {
    this.removeListener()
    this.tracking?.close()
    await this.connection.close()
  }

  /** The keys of all sessions, in pages. A key may occur twice. */
  private async *scan(): AsyncGenerator<readonly string[]> {
    const pattern = `${this.keyStart.replace(/[\\*?[\]]/g, '\\$&')}*}`
    for (const node of this.connection.nodes()) {
      let cursor = '0'
      do {
        const from = cursor
        const [next, keys] = await this.send(() => node.scan(from, 'MATCH', pattern, 'COUNT', SCAN_COUNT))
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
    const reply = await this.send(() => this.connection.run(name, `${this.keyStart}${id}}`, ...values))
    return Array.isArray(reply) ? reply : [reply]
  }

  /** Rejects only with `SessionStoreError`, within `commandTimeoutMs`. */
  private send<T>(command: () => Promise<T>): Promise<T> {
    const startMs = performance.now()
    this.counts.commands += 1
    if (this.open >= MAX_OPEN) return this.refuse(`${MAX_OPEN} commands have no answer yet`)
    if (!this.breaker.allows(startMs)) return this.refuse('did not answer, and gets no commands for a while (breaker)')
    this.open += 1
    return new Promise((resolve, reject) => {
      let off = (): void => undefined
      let progress: SocketProgress | undefined
      let [isSent, isSettled] = [false, false]
      const end = (fault?: string): boolean => {
        if (isSettled) return false
        isSettled = true
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
        this.connection.resetIfSilent(progress)
      }
      // If this process was busy, the answer may have arrived already: it is read before the command is given up.
      const timer = setTimeout(() => setImmediate(giveUp), this.settings.commandTimeoutMs)
      const fail = (error: unknown): void => {
        const { isAnswer, text } = readError(error)
        if (!end(text)) return
        if (isAnswer) this.breaker.succeeded()
        else this.breaker.failed(performance.now())
      }
      const sendNow = (): void => {
        off()
        isSent = true
        progress = this.connection.progress()
        this.connection.cork()
        try {
          command().then((value) => {
            if (!end()) return
            this.breaker.succeeded()
            resolve(value)
          }, fail)
        } catch (error) {
          fail(error)
        }
      }
      if (this.connection.isReady) sendNow()
      else off = this.connection.on('ready', sendNow)
    })
  }

  private refuse(fault: string): Promise<never> {
    this.counts.failed += 1
    return Promise.reject(new SessionStoreError(`Redis: ${fault}`))
  }
}

/** May the id be part of a key? There is no session under any other id. */
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

/** Redis takes whole milliseconds, and deletes a key at 0. */
function wholeMs(ms: number): number {
  return Math.min(Math.max(1, Math.ceil(ms)), MAX_TTL_MS)
}

/**
 * An error reply is an answer, except those of NOT_NOW. Only its text is passed on, because the error object contains the command and its
 * values.
 */
function readError(error: unknown): { readonly isAnswer: boolean; readonly text: string } {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  if (name === 'MaxRetriesPerRequestError') return { isAnswer: false, text: 'the connection was lost' }
  return { isAnswer: name === 'ReplyError' && !NOT_NOW.test(message), text: message.slice(0, 200) }
}
