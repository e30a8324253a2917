// How long a head the primary reads when the config sets no bound: as long as the parsers of the app accept.

import { maxHeaderSize } from 'node:http'
import type { HeadBounds } from '@switchyard/handoff'
import type { LimitSettings } from './settings.ts'

const LEAST = 16_384
/** A peeked head stays in the kernel, whose buffer of an unread connection holds about 64 KiB. */
const MOST = 49_152
/** A parser counts names and values only. With many small fields a head is twice as long. */
const GROWTH = 2

/** `headerBytes`: what the app's parser accepts, by default what one of this process would. Longer heads are left to the app's parser. */
export function headBoundsFor(headerBytes: number = maxHeaderSize): HeadBounds {
  const bytes = headerBytes * GROWTH
  return { maxHeadBytes: Math.min(Math.max(bytes, LEAST), MOST), passesLonger: bytes > MOST }
}

/** The bounds that the config sets, or else those of an app with Node's default parser. */
export function headBoundsOf({ maxHeadBytes }: LimitSettings): HeadBounds {
  return maxHeadBytes === undefined ? headBoundsFor() : { maxHeadBytes, passesLonger: false }
}
