// What a worker needs to end HTTP/2 for its app, listener by listener, in its start data.

/** One listener whose HTTP/2 ends in the worker, unless the app's server speaks it. Its streams are steered one by one. */
export interface Http2ListenerStart {
  readonly listener: number
  /** Streams that a client may have open at the same time. */
  readonly maxConcurrentStreams: number
  /** Bytes of the fields of one request, before compression, with 32 more for each field. */
  readonly maxHeaderListBytes: number
  /** Bytes that a client may send of one request before the app has read them. */
  readonly windowBytes: number
  /** Streams that a client may reset, or begin wrongly, in a minute. One more ends the connection. */
  readonly maxResetsPerMinute: number
  /** Streams that a client may reset in a second before the app has them. One more ends the connection. */
  readonly maxResetsAtOnce: number
  /** Bytes a second, on average, beyond requests: SETTINGS, PING, WINDOW_UPDATE, empty frames. One more ends the connection. */
  readonly maxControlBytesPerSecond: number
  /** A connection without streams for this long is ended. */
  readonly idleTimeoutMs: number
  /** Above this number of connections in one worker, the oldest that have no stream are ended. At twice the number new ones are closed. */
  readonly maxIdleConnections: number
  /** A stream is reset whose client accepts no more of the response for this long. */
  readonly sendTimeoutMs: number
  /** A stream of a path whose requests keep the event loop busy may be served by another worker. */
  readonly spread: boolean
}
