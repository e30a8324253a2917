// How long a head may be that the primary looks at, where the config says nothing: as long as the parsers of the app allow, for they decide.

import { maxHeaderSize } from 'node:http'
import type { HeadBounds } from '@switchyard/handoff'

const LEAST = 16_384
/** What is looked at stays in the kernel, whose buffer of a connection that is not read from takes no more than some 64 KiB. */
const MOST = 49_152
/** A parser counts names and values, not what stands between them: of many small fields a head has twice as much. */
const GROWTH = 2

/** For an app whose parser takes that many bytes of header fields; left out: as many as one in this process would. A longer head is for the app's parser to judge. */
export function headBoundsFor(headerBytes: number = maxHeaderSize): HeadBounds {
  const bytes = headerBytes * GROWTH
  return { maxHeadBytes: Math.min(Math.max(bytes, LEAST), MOST), passesLonger: bytes > MOST }
}
