// The connection to Redis: one server, one that sentinels name, or a cluster. The only file that knows ioredis, which is loaded when a url is set.
// A connection that is lost is made again for ever; what was under way on it has failed at once, and is never sent a second time: it may have been done.

import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isIP, type Socket } from 'node:net'
import { type ConnectionOptions, createSecureContext } from 'node:tls'
import { fileURLToPath } from 'node:url'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import type { SessionSettings } from '../session-settings.ts'
import { type RedisUrl, readRedisUrl } from './redis-url.ts'
import { type ScriptName, scripts } from './scripts.ts'

/** As ioredis has it; an app gets the same one. */
export type RedisClient = Redis | Cluster

/** What of the settings is about the connection. */
export type ConnectionSettings = Pick<SessionSettings, 'url' | 'tls' | 'commandTimeoutMs'>

const RETRY_MS = { first: 50, last: 1000, jitter: 0.2 }
/** Redis says READONLY: perhaps another is the master by now. That is looked for so often. */
const READONLY_MS = 1000
const TOPOLOGY_MS = 10_000
/** Of `commandTimeoutMs`: a connection on which nothing comes for so long is given up. */
const SILENT = { reset: 2, closed: 3 }
const LEAST_CONNECT_MS = 1000
const DISCONNECT_MS = 500

type RunScript = (...parts: readonly (string | number)[]) => Promise<unknown>
type Options = Omit<RedisOptions, 'replyMapping'>
type Library = Pick<typeof import('ioredis'), 'Redis' | 'Cluster'>

/** Connects in the background. Throws only for settings that can never work: a url that can't be read, a PEM file that is not there. */
export function connectRedis(settings: ConnectionSettings): RedisConnection {
  const url = readRedisUrl(settings.url ?? '')
  if (typeof url === 'string') throw new TypeError(`sessions.url: ${url}`)
  const tls = url.tls ? readTls(settings.tls) : undefined
  return new RedisConnection(loadLibrary(), url, tls, settings.commandTimeoutMs)
}

function loadLibrary(): Library {
  // Node takes a package that is a symbolic link for no link if what it looked at last, whatever for, was a socket or a pipe (`realpathSync` reads a state that is
  // not its own); then the package does not find its own dependencies. So it looks at a file first.
  statSync(fileURLToPath(import.meta.url))
  return createRequire(import.meta.url)('ioredis')
}

function readTls(files: SessionSettings['tls']): ConnectionOptions {
  const found: ConnectionOptions = {}
  for (const name of ['ca', 'cert', 'key'] as const) {
    const file = files?.[name]
    if (file !== undefined) found[name] = readFileSync(file)
  }
  // Throws for what is no PEM.
  createSecureContext(found)
  return found
}

export class RedisConnection {
  readonly client: RedisClient
  /** Why it is not there, if it is not. */
  lastFault = 'not connected yet'
  private readonly library: Library
  private readonly commandTimeoutMs: number
  private readonly cluster: Cluster | undefined
  private readonly single: Redis | undefined
  private readonly listeners = { ready: new Set<() => void>(), lost: new Set<() => void>() }
  private readonly doubted = new WeakSet<Socket>()
  /** Of one server, those beside the main one too. */
  private readonly clients = new Set<Redis>()
  private isGathering = false
  private isClosed = false
  private isLetGo = false

  constructor(library: Library, url: RedisUrl, tls: ConnectionOptions | undefined, commandTimeoutMs: number) {
    this.library = library
    this.commandTimeoutMs = commandTimeoutMs
    if (url.kind === 'cluster') {
      this.cluster = newCluster(library, url, tls, commandTimeoutMs)
      this.client = this.cluster
      this.cluster.on('node error', (error: Error) => this.noteFault(error))
      this.cluster.on('+node', (node: Redis) => this.watch(node))
    } else {
      this.single = new library.Redis(optionsOfOne(url, tls, commandTimeoutMs))
      this.client = this.single
      this.watch(this.single)
    }
    const emitter = this.client as Redis
    // Without a listener ioredis writes each to the console.
    emitter.on('error', (error: Error) => this.noteFault(error))
    emitter.on('ready', () => this.tell('ready'))
    emitter.on('close', () => this.tell('lost'))
    emitter.on('end', () => this.resurrect())
  }

  get isCluster(): boolean {
    return this.cluster !== undefined
  }

  get isReady(): boolean {
    return this.client.status === 'ready'
  }

  /** Calls `listener` each time it is ready, or lost, until the function that is returned is called. */
  on(event: 'ready' | 'lost', listener: () => void): () => void {
    this.listeners[event].add(listener)
    return () => this.listeners[event].delete(listener)
  }

  /** Resolves when it is ready, and after `boundMs` in any case. */
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
   * What is sent from here to the end of this turn of the event loop leaves in one write. ioredis's own pipelining would keep one batch at a time under way, send what
   * has timed out by then, and leave MOVED in a batch to the caller.
   */
  gather(): void {
    if (this.isGathering) return
    this.isGathering = true
    const streams = this.nodes().map((node) => node.stream as Socket | undefined)
    for (const stream of streams) stream?.cork()
    setImmediate(() => {
      this.isGathering = false
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
   * A second connection to the very server that this one is connected to, for messages: it speaks RESP2, connects when told to and is not made again when it is
   * lost. Undefined in a cluster, and while there is none.
   */
  beside(): Redis | undefined {
    const stream = this.single?.stream
    if (this.single === undefined || stream?.remoteAddress === undefined || stream.remotePort === undefined) return undefined
    const { options } = this.single
    const besides = new this.library.Redis({
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
    besides.on('error', () => undefined)
    this.watch(besides)
    return besides
  }

  /** A connection of its own for `subscribe`, made again when it is lost; of a cluster it is the same one. */
  forSubscribing(): RedisClient {
    if (this.single === undefined) return this.client
    const own = this.single.duplicate({ autoResubscribe: false })
    own.on('error', () => undefined)
    this.watch(own)
    return own
  }

  /** The socket that a command takes now, with what it has received so far: for `doubt`. A cluster has several, which ioredis watches. */
  trace(): { readonly stream: Socket; readonly bytesRead: number } | undefined {
    const stream = this.single?.stream as Socket | undefined
    return stream && { stream, bytesRead: stream.bytesRead }
  }

  /**
   * A command has not been answered in time. If nothing at all comes for as long again the connection is dead: it is reset, so that what the kernel still holds of
   * it is not sent behind the back of the next one.
   */
  doubt(trace: ReturnType<RedisConnection['trace']>): void {
    if (trace === undefined || this.doubted.has(trace.stream) || trace.stream.bytesRead !== trace.bytesRead) return
    const { stream, bytesRead } = trace
    this.doubted.add(stream)
    setTimeout(
      () => {
        this.doubted.delete(stream)
        if (stream.bytesRead !== bytesRead || stream.destroyed) return
        if ('encrypted' in stream) stream.destroy()
        else stream.resetAndDestroy()
      },
      this.commandTimeoutMs * (SILENT.reset - 1),
    ).unref()
  }

  /** From now on it keeps no process alive by being there. A command that waits for its answer does, as its time limit runs. */
  letGo(): void {
    this.isLetGo = true
    for (const client of this.clients) unref(client)
  }

  private watch(client: Redis): void {
    this.clients.add(client)
    client.once('end', () => this.clients.delete(client))
    client.on('connect', () => this.isLetGo && unref(client))
  }

  /** Ends it for good; what is under way fails. */
  close(): Promise<void> {
    this.isClosed = true
    return closeClient(this.client, this.commandTimeoutMs)
  }

  /** ioredis gives up only where a connection could not even be begun, or where the app has said quit(). */
  private resurrect(): void {
    this.tell('lost')
    if (!this.isClosed) setTimeout(() => this.isClosed || this.client.connect().catch(() => undefined), RETRY_MS.last).unref()
  }

  private noteFault(error: Error): void {
    this.lastFault = error.message.slice(0, 200)
  }

  private tell(event: 'ready' | 'lost'): void {
    for (const listener of [...this.listeners[event]]) listener()
  }
}

function unref(client: Redis): void {
  ;(client.stream as Socket | undefined)?.unref()
}

/** Disconnects; resolves when that is done, soon in any case. */
export function closeClient(client: RedisClient, boundMs: number): Promise<void> {
  if (client.status === 'end') return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(end, boundMs)
    const betweenTwo = client.status === 'reconnecting'
    ;(client as Redis).once('end', end)
    client.disconnect()
    // Then there is no socket whose end could be heard of.
    if (betweenTwo) end()
  })
}

/** The name in the certificate is the one that was asked for. */
function servernameOf({ host, sentinels }: RedisOptions): ConnectionOptions {
  return host === undefined || isIP(host) !== 0 || sentinels ? {} : { servername: host }
}

function optionsOfOne(url: RedisUrl, tls: ConnectionOptions | undefined, commandTimeoutMs: number): Options {
  const [first] = url.hosts
  const where: Options =
    url.sentinel === undefined
      ? { host: first.host, port: first.port }
      : {
          sentinels: url.hosts.map(({ host, port }) => ({ host, port })),
          name: url.sentinel.masterName,
          sentinelUsername: url.sentinel.username,
          sentinelPassword: url.sentinel.password,
          sentinelCommandTimeout: commandTimeoutMs,
          sentinelRetryStrategy: retryDelay,
          ...(tls && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
        }
  return {
    ...optionsOfEach(url, tls, commandTimeoutMs),
    ...where,
    db: url.database,
    scripts,
    retryStrategy: retryDelay,
    enableOfflineQueue: false,
    reconnectOnError: newReadOnlyWatch(),
  }
}

function newCluster(library: Library, url: RedisUrl, tls: ConnectionOptions | undefined, commandTimeoutMs: number): Cluster {
  return new library.Cluster(
    url.hosts.map(({ host, port }) => ({ host, port })),
    {
      redisOptions: optionsOfEach(url, tls, commandTimeoutMs),
      scripts,
      clusterRetryStrategy: retryDelay,
      // A node is connected to with the first command for it; those that come meanwhile wait for that.
      enableOfflineQueue: true,
      slotsRefreshInterval: TOPOLOGY_MS,
      slotsRefreshTimeout: commandTimeoutMs * SILENT.reset,
      // What was under way when a connection broke may have been done.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      // A certificate is for the name, not for the address behind it.
      ...(tls && { dnsLookup: (name: string, done: (error: null, address: string) => void) => done(null, name) }),
    },
  )
}

function optionsOfEach(url: RedisUrl, tls: ConnectionOptions | undefined, commandTimeoutMs: number) {
  return {
    username: url.username,
    password: url.password,
    ...(tls && { tls }),
    connectionName: 'switchyard',
    disableClientInfo: true,
    protocol: 3 as const,
    connectTimeout: Math.max(LEAST_CONNECT_MS, commandTimeoutMs * SILENT.reset),
    disconnectTimeout: Math.min(commandTimeoutMs, DISCONNECT_MS),
    socketTimeout: commandTimeoutMs * SILENT.closed,
    maxLoadingRetryTime: commandTimeoutMs,
    // Whatever is under way when the connection is lost fails in that moment.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  }
}

function retryDelay(times: number): number {
  const delayMs = Math.min(RETRY_MS.first * 2 ** Math.min(times - 1, 16), RETRY_MS.last)
  return Math.round(delayMs * (1 - RETRY_MS.jitter + 2 * RETRY_MS.jitter * Math.random()))
}

/** Should the connection be made again, because of an error? So often, not more, when the server is a replica. */
function newReadOnlyWatch(): (error: Error) => boolean {
  let nextMs = 0
  return (error) => {
    const nowMs = performance.now()
    if (!error.message.includes('READONLY') || nowMs < nextMs) return false
    nextMs = nowMs + READONLY_MS
    return true
  }
}
