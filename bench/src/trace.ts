// The requests of an open loop and when each is due: Poisson arrivals, one stream for each kind of request, the same for all contenders by
// their seed. Pure.

import { seededRandom } from '../../test/support/random.ts'

/** Requests of one kind. */
export interface Stream {
  readonly name: string
  readonly path: string
  /** 0: none. */
  readonly perSecond: number
}

export interface TraceOptions {
  readonly seed: number
  readonly seconds: number
  readonly connections: number
  readonly streams: readonly Stream[]
}

export interface Arrival<S extends Stream = Stream> {
  /** Since the beginning. */
  readonly atMs: number
  readonly stream: S
  /** The connection it is meant for, if that is free then. */
  readonly connection: number
}

/** In order of time. The requests of a stream do not depend on the rates of the others. */
export function traceOf<S extends Stream>({
  seed,
  seconds,
  connections,
  streams,
}: TraceOptions & { readonly streams: readonly S[] }): readonly Arrival<S>[] {
  const arrivals = (stream: S, index: number): Arrival<S>[] => {
    const random = seededRandom(seed * streams.length + index)
    const found: Arrival<S>[] = []
    const gapMs = (): number => (-Math.log(1 - random()) * 1000) / stream.perSecond
    if (stream.perSecond > 0)
      for (let atMs = gapMs(); atMs < seconds * 1000; atMs += gapMs())
        found.push({ atMs, stream, connection: Math.floor(random() * connections) })
    return found
  }
  return streams.flatMap(arrivals).sort((one, other) => one.atMs - other.atMs)
}
