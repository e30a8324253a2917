// The options of ioredis for a server, a sentinel group or a cluster: time limits, reconnecting, and no command that is sent twice.

import { readFileSync } from 'node:fs'
import { type ConnectionOptions, createSecureContext } from 'node:tls'
import type { SessionSettings } from '../session-settings.ts'
import type { RedisUrl } from './redis-url.ts'
import { scripts } from './scripts.ts'

/** Delay of reconnecting: doubles from `first` to `last`, with random jitter. */
export const RETRY_MS = { first: 50, last: 1000, jitter: 0.2 }
/** A connection without any bytes is given up after so many times `commandTimeoutMs`. */
export const SILENT = { reset: 2, closed: 3 }
/** After READONLY, which a replica answers, the connection is made again at most so often: the master may be elsewhere by now. */
const READONLY_MS = 1000
const TOPOLOGY_MS = 10_000
const LEAST_CONNECT_MS = 1000
const DISCONNECT_MS = 500

/** Reads the PEM files. Throws if a file is missing or is no PEM. */
export function readTls(files: SessionSettings['tls']): ConnectionOptions {
  const found: ConnectionOptions = {}
  for (const name of ['ca', 'cert', 'key'] as const) {
    const file = files?.[name]
    if (file !== undefined) found[name] = readFileSync(file)
  }
  createSecureContext(found)
  return found
}

/** For one server, given directly or by sentinels. */
export function singleOptions(url: RedisUrl, tls: ConnectionOptions | undefined, commandTimeoutMs: number) {
  const [first] = url.hosts
  const address =
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
    ...nodeOptions(url, tls, commandTimeoutMs),
    ...address,
    db: url.database,
    scripts,
    retryStrategy: retryDelay,
    enableOfflineQueue: false,
    reconnectOnError: newReadOnlyCheck(),
  }
}

export function clusterOptions(url: RedisUrl, tls: ConnectionOptions | undefined, commandTimeoutMs: number) {
  return {
    redisOptions: nodeOptions(url, tls, commandTimeoutMs),
    scripts,
    clusterRetryStrategy: retryDelay,
    // The first command for a node connects to it. Commands that follow wait in the queue.
    enableOfflineQueue: true,
    slotsRefreshInterval: TOPOLOGY_MS,
    slotsRefreshTimeout: commandTimeoutMs * SILENT.reset,
    // Commands that were sent before the connection broke may have run: they are not sent again.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // A certificate names the host, not its address.
    ...(tls && { dnsLookup: (name: string, done: (error: null, address: string) => void) => done(null, name) }),
  }
}

function nodeOptions(url: RedisUrl, tls: ConnectionOptions | undefined, commandTimeoutMs: number) {
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
    // Commands without an answer fail when the connection is lost.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  }
}

function retryDelay(times: number): number {
  const delayMs = Math.min(RETRY_MS.first * 2 ** Math.min(times - 1, 16), RETRY_MS.last)
  return Math.round(delayMs * (1 - RETRY_MS.jitter + 2 * RETRY_MS.jitter * Math.random()))
}

/** Whether to reconnect because of an error. */
function newReadOnlyCheck(): (error: Error) => boolean {
  let nextMs = 0
  return (error) => {
    const nowMs = performance.now()
    if (!error.message.includes('READONLY') || nowMs < nextMs) return false
    nextMs = nowMs + READONLY_MS
    return true
  }
}
