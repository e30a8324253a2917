// The table of sessions moves from one primary to the next while workers use it: at every moment there is one, and what was acknowledged is in it.

import { type SessionReply, sessionDefaults, type ToWorker } from '@switchyard/worker-runtime'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { seededRandom } from '../../../../test/support/random.ts'
import { EmbeddedSessions, type SessionBatch, type SessionLine } from '../../src/sessions/embedded-sessions.ts'
import { SessionHandover } from '../../src/sessions/session-handover.ts'

const test = suite('session desk')
const settings = { ...sessionDefaults, maxValueBytes: 1000 }
const TTL = 60_000
const idOf = (name: string) => name.padEnd(22, '_')

type Commands = readonly SessionBatch['commands'][number][]

/** A worker, with what it was told. */
class Line implements SessionLine {
  readonly replies: SessionReply[] = []
  readonly changed: (string | undefined)[] = []
  private lastBatch = 0

  send(message: ToWorker): void {
    if (message.switchyard === 'session-replies') this.replies.push(...message.replies)
    if (message.switchyard === 'sessions-changed') this.changed.push(...(message.ids ?? [undefined]))
  }

  batch(...commands: Commands): SessionBatch {
    this.lastBatch++
    return { switchyard: 'sessions', batch: this.lastBatch, hears: true, commands }
  }
}

function primary() {
  const sessions = new EmbeddedSessions(settings)
  atSuiteEnd(() => sessions.close())
  const handover = new SessionHandover(sessions, () => true)
  const ask = (line: Line, ...commands: Commands): SessionReply | undefined => {
    handover.onMessage(line, line.batch(...commands))
    return line.replies.at(-1)
  }
  return { sessions, handover, ask }
}

const written = (said: unknown): unknown => JSON.parse(JSON.stringify(said))

/** The way from one to the next, step by step, over JSON. */
function upgradeOf(old: SessionHandover, next: SessionHandover) {
  const toOld = (entry: object): void => old.onAnswer(written(entry))
  const toNext = (entry: object): void => next.receive(written(entry), toOld)
  return {
    *copy(): Generator<void> {
      for (const entry of old.entries()) {
        toNext(entry)
        yield
      }
    },
    copyAndFreeze(): void {
      for (const _ of this.copy());
      this.freeze()
    },
    freeze: () => {
      for (const entry of old.freeze()) toNext(entry)
    },
    surrender: () => old.onNewPrimaryServes(toNext),
  }
}

test('the successor has all that there was, tombstones and versions included', () => {
  const [old, next] = [primary(), primary()]
  const line = new Line()
  for (const name of ['a', 'b', 'c']) old.ask(line, ['write', idOf(name), `text of ${name}`, TTL, null])
  old.ask(line, ['destroy', idOf('c'), null])
  const upgrade = upgradeOf(old.handover, next.handover)
  upgrade.copyAndFreeze()
  upgrade.surrender()
  const other = new Line()
  const before = old.sessions.table.read(idOf('a'), undefined, performance.now()) as { version: number }
  const found = next.ask(other, ['read', idOf('a'), null]) as { version: number; text: string; ttlMs: number }
  assert.equal([found.version, found.text], [before.version, 'text of a'])
  assert.ok(found.ttlMs > TTL - 5_000 && found.ttlMs <= TTL)
  assert.equal(next.ask(other, ['read', idOf('c'), null]), { state: 'ended' })
  assert.equal(next.ask(other, ['write', idOf('c'), 'late', TTL, null]), { state: 'ended' })
  const fresh = next.ask(other, ['write', idOf('d'), 'new', TTL, 0]) as { version: number }
  assert.ok(fresh.version > before.version + 1, 'no version comes twice')
})

test('what changes while it is copied is told behind the copy', () => {
  const [old, next] = [primary(), primary()]
  const line = new Line()
  for (let index = 0; index < 10; index++) old.ask(line, ['write', idOf(`s${index}`), 'before', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  let step = 0
  for (const _ of upgrade.copy()) {
    step++
    if (step !== 8) continue
    old.ask(line, ['write', idOf('s0'), 'after', TTL, null])
    old.ask(line, ['destroy', idOf('s1'), null])
    old.ask(line, ['touch', idOf('s2'), TTL * 10])
    old.ask(line, ['write', idOf('s9'), 'after', TTL, null])
    old.ask(line, ['write', idOf('new'), 'after', TTL, null])
    old.ask(line, ['read', idOf('s3'), null])
  }
  upgrade.freeze()
  const other = new Line()
  const textOf = (name: string) => (next.ask(other, ['read', idOf(name), null]) as { text?: string }).text
  assert.equal(['s0', 's1', 's2', 's9', 'new', 's3'].map(textOf), ['after', undefined, 'before', 'after', 'after', 'before'])
  assert.ok((next.ask(other, ['read', idOf('s2'), null]) as { ttlMs: number }).ttlMs > TTL * 5)
})

test('that all of it was forgotten is told too', () => {
  const [old, next] = [primary(), primary()]
  const line = new Line()
  old.ask(line, ['write', idOf('a'), 'text', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  for (const _ of upgrade.copy());
  old.ask(line, ['clear'])
  upgrade.freeze()
  assert.equal(next.ask(new Line(), ['read', idOf('a'), null]), { state: 'absent' })
})

test('commands wait while nobody is sure who serves, and are answered there afterwards', () => {
  const [old, next] = [primary(), primary()]
  const [worker, other] = [new Line(), new Line()]
  old.ask(worker, ['write', idOf('a'), 'one', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  upgrade.copyAndFreeze()
  const answered = worker.replies.length
  old.ask(worker, ['write', idOf('a'), 'two', TTL, null], undefined)
  assert.is(worker.replies.length, answered)
  upgrade.surrender()
  assert.is(worker.replies.length, answered + 2)
  assert.is(worker.replies.at(-1), null, 'what made no sense makes none there')
  assert.is((next.ask(other, ['read', idOf('a'), null]) as { text: string }).text, 'two')
  assert.is(old.sessions.table.size, 1)
  assert.is((old.sessions.table.read(idOf('a'), undefined, performance.now()) as { text: string }).text, 'one', 'the old table is not used')
})

test('old workers are told to trust nothing they have read, and then of what the new ones change', () => {
  const [old, next] = [primary(), primary()]
  const [worker, other] = [new Line(), new Line()]
  old.ask(worker, ['write', idOf('a'), 'one', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  upgrade.copyAndFreeze()
  upgrade.surrender()
  assert.equal(worker.changed, [undefined])
  old.ask(worker, ['read', idOf('a'), null])
  next.ask(other, ['write', idOf('a'), 'two', TTL, null])
  assert.equal(worker.changed, [undefined, idOf('a')])
  next.ask(other, ['read', idOf('a'), null])
  old.ask(worker, ['destroy', idOf('a'), null])
  assert.equal(other.changed, [idOf('a')])
  assert.equal(worker.changed.length, 2, 'nobody is told of what it has done itself')
})

test('when there is no successor after all, everything is as before', () => {
  const [old, next] = [primary(), primary()]
  const worker = new Line()
  old.ask(worker, ['write', idOf('a'), 'one', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  upgrade.copyAndFreeze()
  old.ask(worker, ['write', idOf('a'), 'two', TTL, null])
  old.handover.resume()
  assert.is((worker.replies.at(-1) as { state: string }).state, 'written')
  assert.is((old.ask(worker, ['read', idOf('a'), null]) as { text: string }).text, 'two')
  assert.equal(worker.changed, [])
})

test('a worker that goes is forgotten, here and there', () => {
  const [old, next] = [primary(), primary()]
  const [worker, gone, late] = [new Line(), new Line(), new Line()]
  old.ask(gone, ['write', idOf('a'), 'one', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  upgrade.copyAndFreeze()
  const answered = late.replies.length
  old.ask(late, ['read', idOf('a'), null])
  old.handover.forget(late)
  upgrade.surrender()
  assert.is(late.replies.length, answered, 'what it had asked is not asked any more')
  old.ask(gone, ['read', idOf('a'), null])
  old.handover.forget(gone)
  old.ask(worker, ['write', idOf('a'), 'two', TTL, null])
  assert.equal(gone.changed, [undefined])
  next.handover.onOldPrimaryGone()
  next.ask(new Line(), ['write', idOf('a'), 'three', TTL, null])
  assert.equal(worker.changed, [], 'when the old primary is gone nobody is told there')
})

test('what makes no sense is passed over', () => {
  const { handover, sessions } = primary()
  for (const entry of [{}, { line: 1 }, { line: 1, batch: 5 }, { line: 1, batch: { switchyard: 'leave' } }, { gone: 7 }])
    handover.receive(entry, () => {})
  for (const entry of [{ line: 5, message: { switchyard: 'leave' } }]) handover.onAnswer(entry)
  assert.is(sessions.table.size, 0)
})

test('workers of both primaries count in the same sessions over 200 upgrades at any moment: every one that was acknowledged is there', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed)
    const [old, next] = [primary(), primary()]
    const upgrade = upgradeOf(old.handover, next.handover)
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    const counts = new Map<string, number>()
    let serving = [old]
    const workers = new Map([
      [old, [new Line(), new Line()]],
      [next, [new Line(), new Line()]],
    ])
    const add = (): void => {
      const one = serving[Math.floor(random() * serving.length)] as typeof old
      const line = workers.get(one)?.[Math.floor(random() * 2)] as Line
      const name = names[Math.floor(random() * names.length)] as string
      const found = one.ask(line, ['read', idOf(name), null]) as { version?: number; text?: string } | undefined
      // While commands wait there is no answer.
      if (found === undefined || line.replies.length === 0) return
      const asked = line.replies.length
      const said = one.ask(line, ['write', idOf(name), String(Number(found.text ?? 0) + 1), TTL, found.version ?? 0])
      if (line.replies.length === asked || (said as { state: string }).state !== 'written') return
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    const some = (): void => {
      for (let left = Math.floor(random() * 4); left > 0; left--) add()
    }
    for (let index = 0; index < 20; index++) add()
    for (const _ of upgrade.copy()) some()
    some()
    upgrade.freeze()
    serving = [next]
    some()
    upgrade.surrender()
    serving = [old, next]
    for (let index = 0; index < 30; index++) add()
    const reader = new Line()
    for (const [name, count] of counts) {
      assert.is((next.ask(reader, ['read', idOf(name), null]) as { text: string }).text, String(count), `seed ${seed}, ${name}`)
    }
    old.sessions.close()
    next.sessions.close()
  }
})

test.run()
