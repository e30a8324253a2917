// The connection of this process to Redis: one server, a sentinel group or a cluster. The only file that imports ioredis, which is loaded
// when a url is set. A lost connection is made again for ever. Its commands without an answer fail at once and are never sent again,
// because they may have run.

import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isIP, type Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { fileURLToPath } from 'node:url'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import type { SessionSettings } from '../session-settings.ts'
import { clusterOptions, RETRY_MS, readTls, SILENT, singleOptions } from './redis-options.ts'
import { type RedisUrl, readRedisUrl } from './redis-url.ts'
import type { ScriptName } from './scripts.ts'

/** A client of ioredis, which apps may use too. */
export type RedisClient = Redis | Cluster

export type ConnectionSettings = Pick<SessionSettings, 'url' | 'tls' | 'commandTimeoutMs'>

/** The socket that carries the next command, and the bytes it has received so far. */
export interface SocketProgress {
  readonly stream: Socket
  readonly bytesRead: number
}

type RunScript = (...parts: readonly (string | number)[]) => Promise<unknown>
type Library = Pick<typeof import('ioredis'), 'Redis' | 'Cluster'>

/** Connects in the background. Throws if the url or a PEM file can't be read. */
export function connectRedis(settings: ConnectionSettings): RedisConnection {
  const url = readRedisUrl(settings.url ?? '')
  if (typeof url === 'string') throw new TypeError(`sessions.url: ${url}`)
  const tls = url.tls ? readTls(settings.tls) : undefined
  return new RedisConnection(loadLibrary(), url, tls, settings.commandTimeoutMs)
}

function loadLibrary(): Library {
  // `realpathSync` of Node reads a stale file state: if the last stat in the process was of a socket or a pipe, it takes a symbolic link
  // for a plain folder, and a linked package does not find its dependencies. A stat of a file comes first.
  statSync(fileURLToPath(import.meta.url))
  return createRequire(import.meta.url)('ioredis')
}

export class RedisConnection {
  readonly client: RedisClient
  /** Why the connection is not ready. */
  lastFault = 'not connected yet'
  private readonly library: Library
  private readonly commandTimeoutMs: number
  private readonly cluster: Cluster | undefined
  private readonly single: Redis | undefined
  private readonly listeners = { ready: new Set<() => void>(), lost: new Set<() => void>() }
  private readonly suspects = new WeakSet<Socket>()
  /** All clients of single servers, also those of a cluster and for subscriptions. */
  private readonly clients = new Set<Redis>()
  private isCorked = false
  private isClosed = false
  private isUnref = false

  constructor(library: Library, url: RedisUrl, tls: ConnectionOptions | undefined, commandTimeoutMs: number) {
    this.library = library
    this.commandTimeoutMs = commandTimeoutMs
    if (url.kind === 'cluster') {
      const hosts = url.hosts.map(({ host, port }) => ({ host, port }))
      this.cluster = new library.Cluster(hosts, clusterOptions(url, tls, commandTimeoutMs))
      this.client = this.cluster
      this.cluster.on('node error', (error: Error) => this.recordFault(error))
      this.cluster.on('+node', (node: Redis) => this.track(node))
    } else {
      this.single = new library.Redis(singleOptions(url, tls, commandTimeoutMs))
      this.client = this.single
      this.track(this.single)
    }
    const emitter = this.client as Redis
    // Without a listener ioredis writes every error to the console.
    emitter.on('error', (error: Error) => this.recordFault(error))
    emitter.on('ready', () => this.emit('ready'))
    emitter.on('close', () => this.emit('lost'))
    emitter.on('end', () => this.reconnect())
  }

  get isCluster(): boolean {
    return this.cluster !== undefined
  }

  get isReady(): boolean {
    return this.client.status === 'ready'
  }

  /** Calls `listener` each time the connection is ready, or lost. Returns a function that removes it. */
  on(event: 'ready' | 'lost', listener: () => void): () => void {
    this.listeners[event].add(listener)
    return () => this.listeners[event].delete(listener)
  }

  /** Resolves when the connection is ready, and after `boundMs` in any case. */
  untilReady(boundMs: number): Promise<void> {
    if (this.isReady) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        off()
        resolve()
      }
      const timer = setTimeout(end, boundMs)
      const off = this.on('ready', end)
    })
  }

  /**
   * Sends all commands of this turn of the event loop in one write. The pipelining of ioredis is not used: it has only one batch under way
   * at a time, sends commands that have timed out by then, and leaves MOVED to the caller.
   */
  cork(): void {
    if (this.isCorked) return
    this.isCorked = true
    const streams = this.nodes().map((node) => node.stream as Socket | undefined)
    for (const stream of streams) stream?.cork()
    setImmediate(() => {
      this.isCorked = false
      for (const stream of streams) stream?.uncork()
    })
  }

  /** Runs a script on its keys. */
  run(name: ScriptName, ...keysAndArguments: readonly (string | number)[]): Promise<unknown> {
    return (this.client as unknown as Record<ScriptName, RunScript>)[name](...keysAndArguments)
  }

  /** Each server that holds keys. */
  nodes(): readonly Redis[] {
    return this.cluster?.nodes('master') ?? (this.single ? [this.single] : [])
  }

  /**
   * A second client for messages, to the same server as the first. It speaks RESP2, connects on demand and does not reconnect.
   * Undefined in a cluster, and without a connection.
   */
  newMessageClient(): Redis | undefined {
    const stream = this.single?.stream
    if (this.single === undefined || stream?.remoteAddress === undefined || stream.remotePort === undefined) return undefined
    const { options } = this.single
    const client = new this.library.Redis({
      host: stream.remoteAddress,
      port: stream.remotePort,
      tls: options.tls && { ...servernameOf(options), ...options.tls },
      username: options.username,
      password: options.password,
      db: options.db,
      protocol: 2,
      lazyConnect: true,
      retryStrategy: () => null,
      autoResubscribe: false,
      connectTimeout: options.connectTimeout,
      disconnectTimeout: options.disconnectTimeout,
      commandTimeout: this.commandTimeoutMs,
      socketTimeout: options.socketTimeout,
    })
    client.on('error', () => undefined)
    this.track(client)
    return client
  }

  /** A client for `subscribe` that reconnects. In a cluster it is the main client. */
  subscriber(): RedisClient {
    if (this.single === undefined) return this.client
    const own = this.single.duplicate({ autoResubscribe: false })
    own.on('error', () => undefined)
    this.track(own)
    return own
  }

  /** For `resetIfSilent`. Undefined in a cluster, whose sockets ioredis watches. */
  progress(): SocketProgress | undefined {
    const stream = this.single?.stream as Socket | undefined
    return stream && { stream, bytesRead: stream.bytesRead }
  }

  /**
   * Call this when a command is not answered in time. If no byte arrives for as long again, the connection is dead and is reset. The reset
   * discards what the kernel has not sent: old commands must not arrive after those of the next connection.
   */
  resetIfSilent(progress: SocketProgress | undefined): void {
    if (progress === undefined || this.suspects.has(progress.stream) || progress.stream.bytesRead !== progress.bytesRead) return
    const { stream, bytesRead } = progress
    this.suspects.add(stream)
    setTimeout(
      () => {
        this.suspects.delete(stream)
        if (stream.bytesRead !== bytesRead || stream.destroyed) return
        if ('encrypted' in stream) stream.destroy()
        else stream.resetAndDestroy()
      },
      this.commandTimeoutMs * (SILENT.reset - 1),
    ).unref()
  }

  /** Open connections no longer keep the process alive. A command without an answer still does, by its timeout. */
  unref(): void {
    this.isUnref = true
    for (const client of this.clients) unrefClient(client)
  }

  /** Closes for good. Commands without an answer fail. */
  close(): Promise<void> {
    this.isClosed = true
    return closeClient(this.client, this.commandTimeoutMs)
  }

  private track(client: Redis): void {
    this.clients.add(client)
    client.once('end', () => this.clients.delete(client))
    client.on('connect', () => this.isUnref && unrefClient(client))
  }

  /** ioredis stops reconnecting if a connection could not even be started, or if the app has called quit(). */
  private reconnect(): void {
    this.emit('lost')
    if (!this.isClosed) setTimeout(() => this.isClosed || this.client.connect().catch(() => undefined), RETRY_MS.last).unref()
  }

  private recordFault(error: Error): void {
    this.lastFault = error.message.slice(0, 200)
  }

  private emit(event: 'ready' | 'lost'): void {
    for (const listener of [...this.listeners[event]]) listener()
  }
}

function unrefClient(client: Redis): void {
  ;(client.stream as Socket | undefined)?.unref()
}

/** Disconnects. Resolves when the connection has ended, and after `boundMs` in any case. */
export function closeClient(client: RedisClient, boundMs: number): Promise<void> {
  if (client.status === 'end') return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(end, boundMs)
    const isReconnecting = client.status === 'reconnecting'
    ;(client as Redis).once('end', end)
    client.disconnect()
    // Between two connections there is no socket that could end.
    if (isReconnecting) end()
  })
}

/** A certificate is checked against the configured host name, not against the address. */
function servernameOf({ host, sentinels }: RedisOptions): ConnectionOptions {
  return host === undefined || isIP(host) !== 0 || sentinels ? {} : { servername: host }
}
