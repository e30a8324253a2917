// The ring of the newest log lines: its size, the length of a line, filters and followers.

import { assert, suite } from '../../../../test/suite.ts'
import type { LogEntry } from '../../src/control/control-protocol.ts'
import { LogRing } from '../../src/control/log-ring.ts'

const test = suite('log ring')
const entry = (msg: string, fields: Partial<LogEntry> = {}): LogEntry => ({ time: 0, level: 30, msg, ...fields })
const texts = (entries: LogEntry[]) => entries.map(({ msg }) => msg)

test('last returns the newest entries, oldest first', () => {
  const ring = new LogRing()
  for (const msg of ['a', 'b', 'c']) ring.push(entry(msg))
  assert.equal(texts(ring.last(2)), ['b', 'c'])
  assert.equal(texts(ring.last(9)), ['a', 'b', 'c'])
  assert.equal(ring.last(0), [])
})

test('it keeps a thousand entries', () => {
  const ring = new LogRing()
  for (let i = 0; i < 2_345; i++) ring.push(entry(String(i)))
  const all = texts(ring.last(5_000))
  assert.equal([all.length, all[0], all.at(-1)], [1_000, '1345', '2344'])
})

test('a long line is cut, with a note', () => {
  const ring = new LogRing()
  ring.push(entry('x'.repeat(10_000), { pool: 'web' }))
  const [{ msg, pool }] = ring.last(1) as [LogEntry]
  assert.is(msg, `${'x'.repeat(8_192)}… (1808 more characters)`)
  assert.is(pool, 'web')
})

test('a condition applies before the count', () => {
  const ring = new LogRing()
  for (let i = 0; i < 100; i++) ring.push(entry(String(i), { pool: i === 3 || i === 7 ? 'heavy' : 'web' }))
  assert.equal(texts(ring.last(2, ({ pool }) => pool === 'heavy')), ['3', '7'])
})

test('a follower gets each new entry until it stops', () => {
  const ring = new LogRing()
  const received: string[] = []
  ring.push(entry('before'))
  const unfollow = ring.follow(({ msg }) => received.push(msg))
  ring.push(entry('one'))
  unfollow()
  ring.push(entry('after'))
  assert.equal(received, ['one'])
})

test.run()
