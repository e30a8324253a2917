// The page of memory that the primary shares with one worker, and the codes with which the native module calls back. Written once, here:
// native/shared-page.h has the same numbers, and loading the module compares them (see native-module.ts).
//
// The page begins with a row of 32 words. The worker writes the first 16, one cache line, and the primary the other 16. Behind the row stand
// the worker's counters of each route (see route-counters.ts), then one claim word for each hand-off under way. Times are µs of the machine's monotonic clock, truncated to a word.

/** Rises with every change of this file that the native module must know. */
const LAYOUT_VERSION = 5
export const ROW_WORDS = 32
/** The counters of the routes, in words: 64 routes of 24 doubles. */
export const COUNTER_WORDS = 64 * 24 * 2
/** The highest value of a word. */
export const MAX_WORD = 2 ** 31 - 1

/** The words that a worker writes. */
export const rowWords = {
  /** Requests that have started and not finished. */
  inFlight: 0,
  /** Hand-offs received since the worker's start. */
  received: 1,
  /** Open connections. */
  connections: 2,
  /** Moving average of response times in µs. */
  latencyUs: 3,
  /** Start of the present turn of the event loop; 0: the loop waits. Written by native code. */
  busySince: 4,
  /** Turns of the loop since the start. Written by native code. */
  turns: 5,
  /** See `Load.turnWaitMs`. Written by native code. */
  turnWaitUs: 6,
  /** The last notice that was sent, see `LoadRow.requestNotice`. Written by native code. */
  noticeSent: 7,
  /** Requests started since the worker's start. */
  begun: 8,
  /** See `Load.turnMs`. Written by native code. */
  turnUs: 9,
  /** Requests since the worker's start that failed. */
  failed: 10,
  /** Delay of the loop. This word and `utilisation` are written ten times a second. */
  loopLagUs: 11,
  /** Share of time in which the loop was busy, in thousandths. */
  utilisation: 12,
  /** Moving average of the length of a turn that starts requests, divided by their number. Written by native code. */
  requestTurnUs: 13,
  /** Moving average of loop time per request, including everything else that the loop does. Written ten times a second. */
  requestLoopUs: 14,
} as const

/** The words that the primary writes. */
export const primaryWords = {
  /** A bitmap of the slots with a ready worker, over `READY_WORDS` words. */
  readySlots: 16,
  /** Kept-alive connections that the worker keeps, plus one; 0: all of them. */
  keptLimit: 28,
  /** Changes of which a message was sent. */
  sentChanges: 29,
  /** The notice that the primary requests, see `LoadRow.requestNotice`. */
  noticeWanted: 30,
  /** Rises with each change of `readySlots`. */
  readyVersion: 31,
} as const
export const READY_WORDS = 12

/** A notice is a number of its own in so many low bits; above them stand the low bits of a count of hand-offs. */
export const NOTICE_BITS = 8
/**
 * So many turns' worth of requests may be offered to a busy loop whose own connections fill its turns. A worker reads that many in one
 * turn.
 */
export const AHEAD_TURNS = 4

/** What native code passes to callbacks and returns. */
export const nativeCodes = {
  /** Words of a record of the acceptor: descriptor, tag, offset, length. The tag is the number of a listener, or one of the next four. */
  recordInts: 4,
  /** A watched connection has received bytes. */
  woken: -1,
  /** The client of a watched connection has ended its side, or the connection is broken. Bytes may have come before. */
  ended: -2,
  /** The client has closed a refused connection. */
  lingered: -3,
  /** The client of a queued connection has hung up. */
  hungUp: -4,
  /** Results of `peek` below 0: the client has ended its side; the connection is reset. */
  peekEnded: -1,
  peekBroken: -2,
  /** In the place of a descriptor: this call is about something else. */
  noDescriptor: -1,
  /** Without a descriptor, in the place of a question's id: a batch ends; the worker's loop has turned. */
  batchEnd: 0,
  turned: -1,
  /** Words of a record for `sendReturns`: descriptor, id, tag, reason. */
  returnInts: 4,
} as const

export const WORD_BYTES = 4
const { received, busySince, turns, turnWaitUs, noticeSent, begun, turnUs, requestTurnUs } = rowWords

/** Everything that the native module must have the same, by the names in native/module.cc. */
const nativeLayout: Readonly<Record<string, number>> = {
  version: LAYOUT_VERSION,
  rowBytes: (ROW_WORDS + COUNTER_WORDS) * WORD_BYTES,
  claimsOffset: (ROW_WORDS + COUNTER_WORDS) * WORD_BYTES,
  ...{ received, busySince, turns, turnWaitUs, noticeSent, begun, turnUs, requestTurnUs, noticeWanted: primaryWords.noticeWanted },
  noticeBits: NOTICE_BITS,
  aheadTurns: AHEAD_TURNS,
  ...nativeCodes,
}

/** The native module was built from other sources than this code. */
export class LayoutMismatch extends Error {}

/** Throws a `LayoutMismatch` that names every difference between the native module's layout and this one. */
export function checkLayout(found: Readonly<Record<string, number>> = {}): void {
  const names = new Set([...Object.keys(nativeLayout), ...Object.keys(found)])
  const different = [...names].filter((name) => found[name] !== nativeLayout[name])
  if (different.length === 0) return
  const list = different.map((name) => `${name} is ${found[name]}, expected ${nativeLayout[name]}`).join('; ')
  throw new LayoutMismatch(`The native module does not fit this version of Switchyard (${list}). Build it again: npm run build`)
}
