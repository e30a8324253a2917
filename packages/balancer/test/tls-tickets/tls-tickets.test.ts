// What the primary knows of TLS session tickets: the slot in their names, and what workers report.

import { randomBytes } from 'node:crypto'
import type { ToWorker } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { PoolWorker } from '../../src/supervisor/pool-worker.ts'
import { type HandedOverSecrets, TicketSecrets } from '../../src/tls-tickets/ticket-secrets.ts'
import { type TicketOwner, TicketSlotTable } from '../../src/tls-tickets/ticket-slot-table.ts'
import { TlsTickets } from '../../src/tls-tickets/tls-tickets.ts'

const test = suite('TLS tickets of the primary')
const NEVER_MS = 2 ** 31 - 1

interface World {
  readonly tickets: TlsTickets
  readonly learned: TicketOwner[]
  /** A name as a worker of the pool writes it. */
  name(pool: string, slot: number | undefined): Buffer
}

function worldWith(rotationMs = NEVER_MS, handedOver: HandedOverSecrets = new TicketSecrets().handedOver): World {
  const learned: TicketOwner[] = []
  const tickets = new TlsTickets({ rotationMs: () => rotationMs, handedOver, onLearned: (owner) => learned.push(owner) })
  const secrets = new TicketSecrets(handedOver)
  return { tickets, learned, name: (pool, slot) => secrets.namesOf(pool).write({ key: 0, slot }, randomBytes(8)) }
}

function worker(pool = 'web'): PoolWorker & { readonly sent: ToWorker[] } {
  const sent: ToWorker[] = []
  return { pool, state: 'ready', send: (message: ToWorker) => sent.push(message), sent } as unknown as PoolWorker & { sent: ToWorker[] }
}

const slotOf = (tickets: TlsTickets, pool: string, names: readonly Uint8Array[]) => tickets.homeOf(pool, names)?.slot
const text = (name: Buffer): string => name.toString('base64url')

test('without a TLS server there are no keys, and names say nothing', () => {
  const { tickets, learned, name } = worldWith()
  const one = name('web', 1)
  tickets.learn('web', { slot: 2, firm: false }, [text(one)])
  assert.is(slotOf(tickets, 'web', [one]), undefined)
  assert.equal(learned, [])
  assert.is(new TlsTickets({ rotationMs: () => 1, handedOver: undefined, onLearned: () => {} }).handedOver, undefined)
})

test('the first ticket of the pool counts: by its name, and before that by what a worker has reported', async () => {
  const { tickets, learned, name } = worldWith()
  await tickets.startFor(worker())
  const [one, two, none] = [name('web', 1), name('web', 2), name('web', undefined)]
  assert.is(slotOf(tickets, 'web', [randomBytes(16), none, two, one]), 2)
  assert.is(slotOf(tickets, 'admin', [one]), undefined)
  tickets.learn('web', { slot: 3, firm: false }, [text(one), text(none)])
  assert.equal([slotOf(tickets, 'web', [one]), slotOf(tickets, 'web', [none]), slotOf(tickets, 'web', [two])], [3, 3, 2])
  assert.is(slotOf(tickets, 'admin', [none]), undefined)
  assert.equal(learned[0], { pool: 'web', name: text(one), slot: 3 })
})

test('a worker can report tickets of its own pool only', async () => {
  const { tickets, learned, name } = worldWith()
  await tickets.startFor(worker())
  const other = name('admin', 1)
  tickets.learn('web', { slot: 2, firm: false }, [text(other), text(randomBytes(16)), '', 'x'.repeat(22)])
  assert.equal(learned, [])
  assert.is(slotOf(tickets, 'admin', [other]), 1)
})

test('each rotation reaches every worker that has a TLS server and is not gone', async () => {
  const { tickets } = worldWith(20)
  const [one, gone, without] = [worker(), worker(), worker()]
  const start = await tickets.startFor(one)
  await tickets.startFor(gone)
  gone.state = 'gone'
  await until(() => one.sent.length >= 2, 5_000, 'two rotations')
  assert.equal([gone.sent, without.sent], [[], []])
  const [first] = one.sent as Extract<ToWorker, { switchyard: 'tls-tickets' }>[]
  assert.is(first?.start.issuing, start.issuing + 1)
  assert.ok(first?.start.keys.some(({ number, secret }) => number === start.issuing && secret === start.keys[1]?.secret))
})

test('the table goes to a new primary, which knows the same tickets', async () => {
  const { tickets, name } = worldWith()
  await tickets.startFor(worker())
  const one = name('web', undefined)
  tickets.learn('web', { slot: 4, firm: false }, [text(one)])
  const next = worldWith(NEVER_MS, tickets.handedOver).tickets
  await next.startFor(worker())
  for (const entry of [...tickets.entries(), undefined, { pool: 'web' }, { pool: 'web', name: 1, slot: 'x' }]) next.receive(entry)
  assert.is(slotOf(next, 'web', [one]), 4)
})

test('the table is bounded for each pool, and the ticket that was used longest ago goes first', () => {
  const table = new TicketSlotTable(() => 0, 3)
  for (const name of ['a', 'b', 'c']) table.add({ pool: 'web', name, slot: 1 })
  assert.is(table.homeOf('web', 'a')?.slot, 1)
  table.add({ pool: 'web', name: 'd', slot: 2 })
  for (let count = 0; count < 10; count++) table.add({ pool: 'hostile', name: String(count), slot: 0 })
  assert.equal(
    ['a', 'b', 'c', 'd'].map((name) => table.homeOf('web', name)?.slot),
    [1, undefined, 1, 2],
  )
  assert.is([...table.entries()].length, 6)
})

test('a client that has a session at a slot belongs there whatever its load, for ten seconds after the last report', () => {
  let now = 5
  const table = new TicketSlotTable(() => now)
  table.add({ pool: 'web', name: 'a', slot: 1 }, true)
  assert.equal(table.homeOf('web', 'a'), { slot: 1, firm: true })
  now += 9_999
  assert.is(table.homeOf('web', 'a')?.firm, true)
  now++
  assert.equal(table.homeOf('web', 'a'), { slot: 1, firm: false })
  table.add({ pool: 'web', name: 'a', slot: 2 }, true)
  assert.equal(table.homeOf('web', 'a'), { slot: 2, firm: true })
  table.add({ pool: 'web', name: 'a', slot: 2 })
  assert.equal(table.homeOf('web', 'a'), { slot: 2, firm: false })
})

test.run()
