// The embedded session store: the sides of the worker and of the primary, over a link that carries JSON.

import { setImmediate } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { sessionDefaults, type ToPrimary, type ToWorker } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { contractTombstoneMs, sessionStoreContract } from '../../../sessions/test/session-store-contract.ts'
import { readFromPrimary, readFromWorker } from '../../../worker-runtime/src/message-checks.ts'
import { EmbeddedStore } from '../../../worker-runtime/src/session-adapters/embedded-store.ts'
import { EmbeddedSessions, type SessionBatch, type SessionClient } from '../../src/sessions/embedded-sessions.ts'
import { SessionReaders } from '../../src/sessions/session-readers.ts'

const test = suite('embedded sessions')
const MAX_FRAME = 1 << 20
const limits = { ...sessionDefaults, tombstoneMs: contractTombstoneMs }

/** Both ends of the link. A frame arrives in a later turn of the event loop. */
class FakeLink {
  readonly sent: SessionBatch[] = []
  readonly received: ToWorker[] = []
  /** Messages to the primary are lost. */
  isCut = false
  private changes = 0
  private readonly primary: EmbeddedSessions
  private listener: (message: ToWorker) => void = () => {}

  constructor(primary: EmbeddedSessions) {
    this.primary = primary
  }

  send(message: ToPrimary): void {
    void this.carry(message, (frame) => {
      const read = readFromWorker(frame) as SessionBatch
      this.sent.push(read)
      if (!this.isCut) this.primary.onMessage(this.worker, read)
    })
  }

  /** The primary's end. */
  readonly worker: SessionClient = {
    send: (message) => {
      if (message.switchyard === 'sessions-changed') this.changes++
      void this.carry(message, (frame) => {
        const read = readFromPrimary(frame) as ToWorker
        this.received.push(read)
        this.listener(read)
      })
    },
  }

  onMessage(listener: (message: ToWorker) => void): void {
    this.listener = listener
  }

  sentChanges(): number {
    return this.changes
  }

  private async carry(message: object, then: (frame: unknown) => void): Promise<void> {
    const text = JSON.stringify(message)
    if (text.length > MAX_FRAME) throw new Error(`a frame of ${text.length} characters`)
    await setImmediate()
    then(JSON.parse(text))
  }
}

function open(more: Partial<typeof limits> = {}, timeoutMs = 500) {
  const primary = new EmbeddedSessions({ ...limits, ...more })
  const links = [new FakeLink(primary), new FakeLink(primary)] as const
  const [one, other] = links.map((link) => new EmbeddedStore(link, timeoutMs)) as [EmbeddedStore, EmbeddedStore]
  return { primary, links, one, other }
}

sessionStoreContract(test, {
  open: () => open({}, 60_000),
  reports: true,
})

test('commands of one turn of the event loop are one message', async () => {
  const { links, one, primary } = open()
  await Promise.all([one.write('a', 'x', 1000), one.read('a'), one.touch('a', 500), one.read('b')])
  assert.equal(
    links[0].sent.map(({ commands }) => commands.length),
    [4],
  )
  primary.close()
})

test('a command without a reply fails in time, and later commands succeed', async () => {
  const { links, one, primary } = open({}, 20)
  links[0].isCut = true
  const error = await one.read('a').catch((thrown) => thrown)
  assert.equal([error.code, error.status], ['ERR_SESSION_STORE', 503])
  assert.match(error.message, /did not answer within 20 ms/)
  assert.is(one.status().failed, 1)
  links[0].isCut = false
  assert.is((await one.read('a')).state, 'absent')
  primary.close()
})

test('a reply that arrived while the event loop was busy is used, though the timeout has passed', async () => {
  let deliver: (message: ToWorker) => void = () => {}
  const store = new EmbeddedStore({ send() {}, onMessage: (listener) => (deliver = listener), sentChanges: () => undefined }, 10)
  const reading = store.read('a')
  await setImmediate()
  // Delivered in the poll phase of the event loop, as a real reply, which is there before the loop is busy.
  const { port1, port2 } = new MessageChannel()
  port2.once('message', () => {
    deliver({ switchyard: 'session-replies', batch: 1, replies: [{ state: 'absent' }] })
    port2.close()
  })
  port1.postMessage(0)
  const startedMs = performance.now()
  while (performance.now() - startedMs < 50);
  assert.is((await reading).state, 'absent')
})

test('commands without a reply are bounded, and a closed store rejects commands', async () => {
  const { links, one, primary } = open({}, 60_000)
  links[0].isCut = true
  const all = Promise.allSettled(Array.from({ length: 16_400 }, () => one.read('a')))
  const late = await one.read('b').catch((thrown) => thrown)
  assert.match(late.message, /16384 commands have no answer/)
  await one.close()
  assert.ok((await all).every(({ status }) => status === 'rejected'))
  assert.match((await one.read('b').catch((thrown) => thrown)).message, /closed/)
  primary.close()
})

test('invalid commands of a worker are answered with null, and change nothing', async () => {
  const { primary, links } = open({ maxValueBytes: 10 })
  const [link] = links
  const invalid: unknown[] = [
    ...[null, 7, 'read', {}, [], ['nonsense'], ['read'], ['read', '', null], ['read', 'a b', null], ['read', 'x'.repeat(129), null]],
    ...[
      ['read', 'a'],
      ['read', 'a', -1],
      ['read', 'a', '1'],
      ['write', 'a', 7, 1000, null],
      ['write', 'a', 'x', 0, null],
    ],
    ...[
      ['write', 'a', 'x', 'long', null],
      ['write', 'a', 'x', 1e300, null],
      ['write', 'a', 'x', 1000],
      ['write', 'a', 'x'.repeat(11), 1000, null],
    ],
    ...[
      ['touch', 'a', -5],
      ['touch', 'a\n', 5],
      ['destroy', '{a}', null],
      ['destroy', 'a', 1.5],
      ['ids', -1, 0],
      ['ids', 1],
    ],
  ]
  link.send({ switchyard: 'sessions', batch: 3, hears: true, commands: invalid as never })
  await until(() => link.received.length > 0)
  assert.equal(link.received, [{ switchyard: 'session-replies', batch: 3, replies: invalid.map(() => null) }])
  assert.equal([primary.table.size, primary.table.tombstoneCount], [0, 0])
  for (const nonsense of [{ batch: 'x', commands: [] }, { batch: 1, commands: {} }, { batch: 1 }, { commands: [] }])
    assert.is(readFromWorker({ switchyard: 'sessions', ...nonsense }), undefined)
  primary.close()
})

test('a change is reported once to a worker that has read the session, again after its next read, and never after its exit', async () => {
  const { primary, links, one, other } = open()
  other.onChanged(() => {})
  await one.write('a', '1', 1000)
  await other.read('a')
  for (let turn = 0; turn < 3; turn++) await one.write('a', `${turn}`, 1000)
  const changes = () => links[1].received.filter(({ switchyard }) => switchyard === 'sessions-changed')
  assert.equal(changes(), [{ switchyard: 'sessions-changed', ids: ['a'] }])
  await other.read('a')
  primary.forget(links[1].worker)
  await one.write('a', '4', 1000)
  await one.read('a')
  assert.is(changes().length, 1)
  primary.close()
})

test('evictions are reported, also after the limits become smaller', async () => {
  const { primary, links, one, other } = open({ maxSessions: 2 })
  other.onChanged(() => {})
  for (const id of ['a', 'b']) await one.write(id, 'x', 1000)
  for (const id of ['a', 'b']) await other.read(id)
  await one.write('c', 'x', 1000)
  await one.write('d', 'x', 1000)
  const changed = () => links[1].received.flatMap((message) => (message.switchyard === 'sessions-changed' ? message.ids : []))
  await until(() => changed().length === 2)
  assert.equal(changed(), ['a', 'b'])
  for (const id of ['c', 'd']) await other.read(id)
  primary.configure({ ...limits, maxSessions: 1 })
  await until(() => changed().length === 3)
  assert.equal(changed(), ['a', 'b', 'c'])
  primary.close()
})

test('readers: beyond maxIds the oldest id is forgotten and returned', () => {
  const readers = new SessionReaders<string>(2)
  assert.is(readers.record('x', 'a'), undefined)
  assert.is(readers.record('x', 'b'), undefined)
  assert.is(readers.record('x', 'b'), undefined)
  assert.is(readers.record('y', 'a'), undefined)
  assert.is(readers.record('x', 'c'), 'a')
  assert.equal(readers.removeReaders('a', undefined), ['y'])
  assert.equal(readers.removeReaders('a', undefined), [])
  assert.equal(readers.removeReaders('b', 'x'), [])
  assert.equal(readers.removeReaders('b', 'y'), ['x'])
  readers.remove('x')
  assert.equal(readers.removeReaders('c', undefined), [])
  readers.record('y', 'd')
  assert.equal(readers.removeAll(), ['y'])
  assert.equal(readers.removeAll(), [])
})

test.run()
