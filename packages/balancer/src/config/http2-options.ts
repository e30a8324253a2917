// `listen[…].http2`: listeners whose HTTP/2 ends in the workers, and its limits.

import * as v from 'valibot'
import type { Http2Settings, ListenAddress } from '../listener-settings.ts'
import { type Fault, type Loose, listOf, looseOf } from './faults.ts'
import { flag, milliseconds, shape, whole, withDefaults } from './schema.ts'

export interface Http2Options {
  /** Streams that a client may have open at the same time. Default 128. */
  maxConcurrentStreams?: number | undefined
  /** Bytes of the fields of one request, before compression. Default 65536. */
  maxHeaderListBytes?: number | undefined
  /** Bytes of one request's body that a client may send before the app reads them. Default 65536. */
  windowBytes?: number | undefined
  /** Streams that a client may reset in a minute. Default 1000. */
  maxResetsPerMinute?: number | undefined
  /** Streams that a client may reset in a second before the app has them. Default 256. */
  maxResetsAtOnce?: number | undefined
  /** Bytes a second that a client may send beyond its requests: SETTINGS, PING, WINDOW_UPDATE, empty frames, padding. Default 65536. */
  maxControlBytesPerSecond?: number | undefined
  /** A connection without streams for this long is ended. Default 60000. */
  idleTimeoutMs?: number | undefined
  /** Above this number of connections in one worker, the oldest that have no stream are ended. At twice the number new ones are closed. Default 10000. */
  maxIdleConnections?: number | undefined
  /** A stream whose client accepts nothing of the response for this long is reset. Default 60000. */
  sendTimeoutMs?: number | undefined
  /** Streams that keep the event loop busy are spread over the workers of the pool, those of an app's own server of HTTP/2 too. Routes may say otherwise. Default false. */
  spread?: boolean | undefined
  /** So many connections of a client cut within ten seconds because of these limits, and the primary refuses its new ones. Default 5; 0: never. */
  refuseAfterCuts?: number | undefined
  /** For this long. Default 10000. */
  refuseMs?: number | undefined
  /** Refuse clients with private, link-local and loopback addresses too. Proxies have such addresses, which stand for all their clients. Default false. */
  refusePrivate?: boolean | undefined
}

export type Http2Config = boolean | Http2Options

export const defaultHttp2: Http2Settings = {
  maxConcurrentStreams: 128,
  maxHeaderListBytes: 64 * 1024,
  windowBytes: 64 * 1024,
  maxResetsPerMinute: 1000,
  maxResetsAtOnce: 256,
  maxControlBytesPerSecond: 64 * 1024,
  idleTimeoutMs: 60_000,
  maxIdleConnections: 10_000,
  sendTimeoutMs: 60_000,
  spread: false,
  refuseAfterCuts: 5,
  refuseMs: 10_000,
  refusePrivate: false,
}

const H2 = 'h2'
const MAX_WINDOW = 2 ** 31 - 1

export const http2LimitEntries = {
  maxConcurrentStreams: whole(1, 65_535, 'a number of streams from 1 to 65535'),
  maxHeaderListBytes: whole(1024, 2 ** 20, 'bytes from 1024 to 1048576'),
  windowBytes: whole(16_384, MAX_WINDOW, `bytes from 16384 to ${MAX_WINDOW}`),
  maxResetsPerMinute: whole(1, 1e9, 'a number of streams, at least 1'),
  maxResetsAtOnce: whole(1, 1e9, 'a number of streams, at least 1'),
  maxControlBytesPerSecond: whole(1024, 1e9, 'bytes, at least 1024'),
  idleTimeoutMs: milliseconds(1),
  maxIdleConnections: whole(1, 1e9, 'a number of connections, at least 1'),
  sendTimeoutMs: milliseconds(1),
  spread: flag,
  refuseAfterCuts: whole(0, 1e9, 'a number of connections; 0: never'),
  refuseMs: milliseconds(1),
  refusePrivate: flag,
}

const limits = shape(http2LimitEntries)

export const http2Entries = {
  http2: v.optional(
    v.lazy((input) =>
      typeof input === 'object' && input !== null ? limits : v.boolean('true, false or an object such as { maxConcurrentStreams: 128 }'),
    ),
  ),
}

/** Faults of a config that may have other faults too. */
export function http2Faults({ listen, unbalanced }: Loose): Fault[] {
  return [
    ...[listen].flat().flatMap((one, index) => addressFaults(looseOf(one), Array.isArray(listen) ? `listen[${index}]` : 'listen')),
    ...listOf(unbalanced).flatMap((one, index) =>
      looseOf(one).http2 === undefined
        ? []
        : [{ path: `unbalanced[${index}].http2`, message: 'has no effect: the app itself listens there' }],
    ),
  ]
}

function addressFaults({ http2, protocol, peek, tls }: Loose, path: string): Fault[] {
  if (http2 === undefined || http2 === false) return []
  const { alpn } = looseOf(tls)
  if (Array.isArray(alpn) && !alpn.includes(H2)) return [{ path: `${path}.tls.alpn`, message: "leaves out 'h2', which 'http2' needs" }]
  if (tls !== undefined) return []
  if (peek === false || protocol === 'tcp' || protocol === 'http' || protocol === 'tls')
    return [{ path: `${path}.http2`, message: "needs the protocol 'http2', or 'detect' for clients of HTTP/1.1 too" }]
  return []
}

/** Settings of a checked config. */
export function http2ListenSettings(http2: Http2Config | undefined): Pick<ListenAddress, 'http2'> {
  if (http2 === undefined || http2 === false) return {}
  return { http2: withDefaults(defaultHttp2, http2 === true ? {} : http2) }
}

/** Protocols by ALPN of a listener with both. */
export function alpnWithHttp2(alpn: readonly string[] | undefined, http2: Http2Config | undefined): readonly string[] | undefined {
  return alpn ?? (http2 === undefined || http2 === false ? undefined : [H2, 'http/1.1'])
}
