// The session table moves from the old primary to the new one while workers use it: there is one table at every moment, and no acknowledged
// write is lost.

import { type SessionReply, sessionDefaults, type ToWorker } from '@switchyard/worker-runtime'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { seededRandom } from '../../../../test/support/random.ts'
import { EmbeddedSessions, type SessionBatch, type SessionClient } from '../../src/sessions/embedded-sessions.ts'
import { SessionHandover } from '../../src/sessions/session-handover.ts'

const test = suite('session handover')
const settings = { ...sessionDefaults, maxValueBytes: 1000 }
const TTL = 60_000
const idOf = (name: string) => name.padEnd(22, '_')

type Commands = readonly SessionBatch['commands'][number][]

/** A worker, with what it received. */
class FakeWorker implements SessionClient {
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
  const ask = (worker: FakeWorker, ...commands: Commands): SessionReply | undefined => {
    handover.onMessage(worker, worker.batch(...commands))
    return worker.replies.at(-1)
  }
  return { sessions, handover, ask }
}

const throughJson = (entry: unknown): unknown => JSON.parse(JSON.stringify(entry))

/** The steps of an upgrade. Entries travel as JSON. */
function upgradeOf(old: SessionHandover, next: SessionHandover) {
  const toOld = (entry: object): void => old.onAnswer(throughJson(entry))
  const toNext = (entry: object): void => next.receive(throughJson(entry), toOld)
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

test('the new primary has all sessions, tombstones and versions', () => {
  const [old, next] = [primary(), primary()]
  const worker = new FakeWorker()
  for (const name of ['a', 'b', 'c']) old.ask(worker, ['write', idOf(name), `text of ${name}`, TTL, null])
  old.ask(worker, ['destroy', idOf('c'), null])
  const upgrade = upgradeOf(old.handover, next.handover)
  upgrade.copyAndFreeze()
  upgrade.surrender()
  const other = new FakeWorker()
  const before = old.sessions.table.read(idOf('a'), undefined, performance.now()) as { version: number }
  const found = next.ask(other, ['read', idOf('a'), null]) as { version: number; text: string; ttlMs: number }
  assert.equal([found.version, found.text], [before.version, 'text of a'])
  assert.ok(found.ttlMs > TTL - 5_000 && found.ttlMs <= TTL)
  assert.equal(next.ask(other, ['read', idOf('c'), null]), { state: 'ended' })
  assert.equal(next.ask(other, ['write', idOf('c'), 'late', TTL, null]), { state: 'ended' })
  const fresh = next.ask(other, ['write', idOf('d'), 'new', TTL, 0]) as { version: number }
  assert.ok(fresh.version > before.version + 1, 'no version comes twice')
})

test('changes during the copy follow it', () => {
  const [old, next] = [primary(), primary()]
  const worker = new FakeWorker()
  for (let index = 0; index < 10; index++) old.ask(worker, ['write', idOf(`s${index}`), 'before', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  let step = 0
  for (const _ of upgrade.copy()) {
    step++
    if (step !== 8) continue
    old.ask(worker, ['write', idOf('s0'), 'after', TTL, null])
    old.ask(worker, ['destroy', idOf('s1'), null])
    old.ask(worker, ['touch', idOf('s2'), TTL * 10])
    old.ask(worker, ['write', idOf('s9'), 'after', TTL, null])
    old.ask(worker, ['write', idOf('new'), 'after', TTL, null])
    old.ask(worker, ['read', idOf('s3'), null])
  }
  upgrade.freeze()
  const other = new FakeWorker()
  const textOf = (name: string) => (next.ask(other, ['read', idOf(name), null]) as { text?: string }).text
  assert.equal(['s0', 's1', 's2', 's9', 'new', 's3'].map(textOf), ['after', undefined, 'before', 'after', 'after', 'before'])
  assert.ok((next.ask(other, ['read', idOf('s2'), null]) as { ttlMs: number }).ttlMs > TTL * 5)
})

test('a clear during the copy follows it too', () => {
  const [old, next] = [primary(), primary()]
  const worker = new FakeWorker()
  old.ask(worker, ['write', idOf('a'), 'text', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  for (const _ of upgrade.copy());
  old.ask(worker, ['clear'])
  upgrade.freeze()
  assert.equal(next.ask(new FakeWorker(), ['read', idOf('a'), null]), { state: 'absent' })
})

test('commands wait while the new primary takes over, and are answered by it', () => {
  const [old, next] = [primary(), primary()]
  const [worker, other] = [new FakeWorker(), new FakeWorker()]
  old.ask(worker, ['write', idOf('a'), 'one', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  upgrade.copyAndFreeze()
  const answered = worker.replies.length
  old.ask(worker, ['write', idOf('a'), 'two', TTL, null], undefined)
  assert.is(worker.replies.length, answered)
  upgrade.surrender()
  assert.is(worker.replies.length, answered + 2)
  assert.is(worker.replies.at(-1), null, 'an invalid command is invalid there too')
  assert.is((next.ask(other, ['read', idOf('a'), null]) as { text: string }).text, 'two')
  assert.is(old.sessions.table.size, 1)
  assert.is((old.sessions.table.read(idOf('a'), undefined, performance.now()) as { text: string }).text, 'one', 'the old table is not used')
})

test('caches of old workers become stale, and later changes are reported to them', () => {
  const [old, next] = [primary(), primary()]
  const [worker, other] = [new FakeWorker(), new FakeWorker()]
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
  assert.equal(worker.changed.length, 2, 'own changes are not reported')
})

test('after a failed upgrade the old primary serves as before', () => {
  const [old, next] = [primary(), primary()]
  const worker = new FakeWorker()
  old.ask(worker, ['write', idOf('a'), 'one', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  upgrade.copyAndFreeze()
  old.ask(worker, ['write', idOf('a'), 'two', TTL, null])
  old.handover.resume()
  assert.is((worker.replies.at(-1) as { state: string }).state, 'written')
  assert.is((old.ask(worker, ['read', idOf('a'), null]) as { text: string }).text, 'two')
  assert.equal(worker.changed, [])
})

test('a worker that exits is removed in both primaries', () => {
  const [old, next] = [primary(), primary()]
  const [worker, gone, late] = [new FakeWorker(), new FakeWorker(), new FakeWorker()]
  old.ask(gone, ['write', idOf('a'), 'one', TTL, null])
  const upgrade = upgradeOf(old.handover, next.handover)
  upgrade.copyAndFreeze()
  const answered = late.replies.length
  old.ask(late, ['read', idOf('a'), null])
  old.handover.forget(late)
  upgrade.surrender()
  assert.is(late.replies.length, answered, 'its waiting commands are dropped')
  old.ask(gone, ['read', idOf('a'), null])
  old.handover.forget(gone)
  old.ask(worker, ['write', idOf('a'), 'two', TTL, null])
  assert.equal(gone.changed, [undefined])
  next.handover.onOldPrimaryGone()
  next.ask(new FakeWorker(), ['write', idOf('a'), 'three', TTL, null])
  assert.equal(worker.changed, [], 'nothing is reported to workers of an old primary that has exited')
})

test('invalid entries are ignored', () => {
  const { handover, sessions } = primary()
  for (const entry of [{}, { line: 1 }, { line: 1, batch: 5 }, { line: 1, batch: { switchyard: 'leave' } }, { gone: 7 }])
    handover.receive(entry, () => {})
  for (const entry of [{ line: 5, message: { switchyard: 'leave' } }]) handover.onAnswer(entry)
  assert.is(sessions.table.size, 0)
})

test('workers of both primaries increment the same sessions during 200 random upgrades: no acknowledged increment is lost', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed)
    const [old, next] = [primary(), primary()]
    const upgrade = upgradeOf(old.handover, next.handover)
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    const counts = new Map<string, number>()
    let serving = [old]
    const workers = new Map([
      [old, [new FakeWorker(), new FakeWorker()]],
      [next, [new FakeWorker(), new FakeWorker()]],
    ])
    const add = (): void => {
      const one = serving[Math.floor(random() * serving.length)] as typeof old
      const worker = workers.get(one)?.[Math.floor(random() * 2)] as FakeWorker
      const name = names[Math.floor(random() * names.length)] as string
      const found = one.ask(worker, ['read', idOf(name), null]) as { version?: number; text?: string } | undefined
      // While commands wait there is no reply.
      if (found === undefined || worker.replies.length === 0) return
      const asked = worker.replies.length
      const reply = one.ask(worker, ['write', idOf(name), String(Number(found.text ?? 0) + 1), TTL, found.version ?? 0])
      if (worker.replies.length === asked || (reply as { state: string }).state !== 'written') return
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    const some = (): void => {
      for (let turns = Math.floor(random() * 4); turns > 0; turns--) add()
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
    const reader = new FakeWorker()
    for (const [name, count] of counts) {
      assert.is((next.ask(reader, ['read', idOf(name), null]) as { text: string }).text, String(count), `seed ${seed}, ${name}`)
    }
    old.sessions.close()
    next.sessions.close()
  }
})

test.run()
