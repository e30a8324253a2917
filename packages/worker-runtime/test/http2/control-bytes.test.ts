// What counts as bytes beyond requests.

import { assert, suite } from '../../../../test/suite.ts'
import { type ConnectionBytes, ControlBytes } from '../../src/http2/control-bytes.ts'

const test = suite('control bytes')
const PER_SECOND = 1000
const none: ConnectionBytes = { read: 0, written: 0, streams: 0, body: 0, chunks: 0 }
const MIB = 2 ** 20

/** `each`: what is added in one second. */
const table: [what: string, each: Partial<ConnectionBytes>, seconds: number, expected: boolean][] = [
  ['nothing', {}, 60, false],
  ['as many as allowed', { read: PER_SECOND }, 10_000, false],
  ['ten times as many', { read: 10 * PER_SECOND }, 200, true],
  ['a short flood', { read: MIB }, 1, false],
  ['a flood', { read: 10 * MIB }, 1, true],
  ['uploads', { read: 100 * MIB, body: 100 * MIB - 57_600, chunks: 6400 }, 60, false],
  ['uploads in small pieces', { read: 100_000 * 14, body: 100_000 * 5, chunks: 100_000 }, 60, false],
  ['requests', { read: 100_000 * 50, written: 100_000 * 100, streams: 100_000 }, 60, false],
  ['downloads, two WINDOW_UPDATEs for each frame', { read: 6400 * 26, written: 6400 * 16_393 }, 60, false],
  ['empty frames beside requests', { read: 100 * MIB, streams: 10 }, 1, true],
]
for (const [what, each, seconds, expected] of table)
  test(what, () => {
    const control = new ControlBytes(PER_SECOND, 0)
    let isTooHigh = false
    for (let second = 1; second <= seconds && !isTooHigh; second++) {
      const { read, written, streams, body, chunks } = { ...none, ...each }
      const now = {
        read: read * second,
        written: written * second,
        streams: streams * second,
        body: body * second,
        chunks: chunks * second,
      }
      isTooHigh = control.isTooHigh(now, second * 1000)
    }
    assert.is(isTooHigh, expected)
  })

test.run()
