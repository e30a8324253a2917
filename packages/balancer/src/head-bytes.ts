// How long a head may be that the primary looks at, where the config says nothing: as long as the parsers of the app allow, for they decide.

import { maxHeaderSize } from 'node:http'

const LEAST = 16_384
const MOST = 1_048_576
/** A parser counts names and values, not what stands between them: of many small fields a head has twice as much. */
const GROWTH = 2

/** For an app whose parser takes that many bytes of header fields; left out: as many as one in this process would. */
export function headBytesFor(headerBytes: number = maxHeaderSize): number {
  return Math.min(Math.max(headerBytes * GROWTH, LEAST), MOST)
}
