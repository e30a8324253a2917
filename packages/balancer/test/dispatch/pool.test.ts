// A pool's choice and its queue, with fake workers.

import { portableTransport } from '@switchyard/handoff'
import { leastBusy, RequestHead } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { type Choice, Pool } from '../../src/dispatch/pool.ts'
import { Queue, type Queued, type WaitFor } from '../../src/dispatch/queue.ts'
import { PoolWorker } from '../../src/supervisor/pool-worker.ts'
import { plainPool } from '../support/plain-pool.ts'

const head = RequestHead.of({ target: '/' })
const waiting = (fd: number, sinceMs: number, waitFor: WaitFor, address = 'one') => ({
  arrival: { fd, tag: 0, carried: undefined, head },
  sinceMs,
  waitFor,
  address,
})
const descriptors = (queued: readonly Queued[]) => queued.map(({ arrival: { fd } }) => fd)
const test = suite('pool')
const first = { pick: (candidates: readonly PoolWorker[]) => candidates[0] }

function poolOf(states: PoolWorker['state'][]): { pool: Pool; workers: PoolWorker[] } {
  const settings = plainPool({ workers: states.length })
  const pool = new Pool(settings)
  const workers = states.map((state, slot) => {
    const returns = { onGivenBack() {}, onAsked() {}, onTurned() {}, onBatchEnd() {} }
    const worker = new PoolWorker(portableTransport(), 'web', slot, 0, 0, returns, settings)
    worker.state = state
    pool.add(worker)
    return worker
  })
  pool.refresh()
  return { pool, workers }
}

/** The worker, or the reason why there is none. */
function chosen(choice: Choice): PoolWorker | WaitFor | 'nobody' {
  if (choice.kind === 'worker') return choice.worker
  return choice.kind === 'wait' ? choice.waitFor : 'nobody'
}

const closed = (workers: PoolWorker[]) => {
  for (const worker of workers) worker.channel.close()
}

for (const [states, choice] of [
  [['ready'], 0],
  [['starting', 'ready'], 1],
  [['draining', 'ready'], 1],
  [['starting'], 'loop'],
  [['draining'], 'nobody'],
  [[], 'nobody'],
] as [PoolWorker['state'][], number | 'loop' | 'nobody'][]) {
  test(`of ${states.join(', ') || 'no worker'} the choice is ${choice}`, () => {
    const { pool, workers } = poolOf(states)
    const found = chosen(pool.choose(first, head))
    assert.is(found instanceof PoolWorker ? found.slot : found, choice)
    closed(workers)
  })
}

test('what can wait for nobody goes to one that is about to leave, until nothing may come to that any more', () => {
  const { pool, workers } = poolOf(['draining'])
  const worker = workers[0] as PoolWorker
  assert.is(chosen(pool.chooseNow(first, head)), worker)
  worker.sealed = true
  pool.refresh()
  assert.is(chosen(pool.chooseNow(first, head)), 'nobody')
  closed(workers)
})

test('a policy that chooses nobody makes the connection wait', () => {
  const { pool, workers } = poolOf(['ready'])
  assert.is(chosen(pool.choose({ pick: () => undefined }, head)), 'policy')
  assert.is(chosen(pool.choose({ pick: () => undefined, waitsForLoop: true }, head)), 'loop')
  closed(workers)
})

test('a full worker is no candidate; what a session id names is waited for', () => {
  const { pool, workers } = poolOf(['ready', 'ready'])
  const full = workers[0] as PoolWorker
  const channel = full.channel as { outstanding: number }
  channel.outstanding = Number.POSITIVE_INFINITY
  pool.refresh()
  assert.is(chosen(pool.choose(first, head)), workers[1])
  assert.is(chosen(pool.choose({ ...first, home: () => ({ slot: 0, generation: 0, firm: true }) }, head)), 'home')
  assert.is(chosen(pool.choose({ ...first, home: () => ({ slot: 0, generation: 0, firm: false }) }, head)), workers[1])
  assert.is(chosen(pool.choose({ ...first, home: () => ({ slot: 7, generation: 0, firm: true }) }, head)), workers[1])
  channel.outstanding = 0
  closed(workers)
})

test('who drains gets what carries a ticket of its own generation, and nothing else', () => {
  const { pool, workers } = poolOf(['draining', 'ready'])
  const ticketOf = (generation: number) => ({ ...first, home: () => ({ slot: 0, generation, firm: false }) })
  assert.is(chosen(pool.choose(ticketOf(0), head)), workers[0])
  assert.is(chosen(pool.choose(ticketOf(1), head)), workers[1])
  assert.is(chosen(pool.choose(first, head)), workers[1])
  const leaving = workers[0] as PoolWorker
  leaving.sealed = true
  pool.refresh()
  assert.is(chosen(pool.choose(ticketOf(0), head)), workers[1])
  closed(workers)
})

for (const [what, target, headers, isFirm, choice] of [
  ['a websocket', '/chat', { upgrade: 'WebSocket' }, false, 1],
  ['a session of engine.io', '/socket.io/?EIO=4&transport=polling', {}, false, 1],
  ['a request of such a session whose id is of another', '/socket.io/?EIO=4&transport=polling&sid=other', {}, false, 0],
  ['the websocket of a session that its worker has', '/socket.io/?EIO=4&transport=websocket&sid=own', { upgrade: 'websocket' }, true, 0],
  ['an upgrade to anything else', '/', { upgrade: 'h2c' }, false, 0],
] as const) {
  test(`${what}, with a ticket of who drains, ${choice === 0 ? 'goes to it' : 'begins with another'}`, () => {
    const { pool, workers } = poolOf(['draining', 'ready'])
    const policy = { ...first, home: () => ({ slot: 0, generation: 0, firm: isFirm }) }
    assert.is(chosen(pool.choose(policy, RequestHead.of({ target, headers }))), workers[choice])
    closed(workers)
  })
}

test('who hangs and who is ejected is no candidate', () => {
  const { pool, workers } = poolOf(['ready', 'ready', 'ready'])
  const [one, other, third] = workers as [PoolWorker, PoolWorker, PoolWorker]
  one.retiring = 'hang'
  pool.refresh()
  pool.eject(new Set([other]))
  assert.is(chosen(pool.choose(first, head)), third)
  assert.ok(pool.isEjected(other))
  pool.eject(new Set())
  assert.is(chosen(pool.choose(first, head)), other)
  closed(workers)
})

for (const [waitedMs, load, choice] of [
  [0, { nextInMs: 3 }, 'loop'],
  [9, { nextInMs: 3 }, 'loop'],
  [10, { nextInMs: 3 }, 0],
  [249, { nextInMs: Number.POSITIVE_INFINITY }, 'loop'],
  [250, { nextInMs: Number.POSITIVE_INFINITY }, 0],
  [250, { nextInMs: Number.POSITIVE_INFINITY, onTheWay: 1 }, 'loop'],
] as const) {
  test(`one that has waited alone for ${waitedMs} ms, before a busy loop with ${JSON.stringify(load)}: ${choice}`, () => {
    const { pool, workers } = poolOf(['ready'])
    const busy = { isFree: false, busyMs: 1, onTheWay: 0, turnWaitMs: 5, inFlight: 1, ...load }
    Object.defineProperty(workers[0], 'load', { value: busy })
    const found = chosen(pool.choose(leastBusy(), head, 'queue', undefined, waitedMs))
    assert.is(found instanceof PoolWorker ? found.slot : found, choice)
    closed(workers)
  })
}

function inTurn(queue: Queue): number[] {
  const taken: Queued[] = []
  for (let next = queue.removeForLoop(); next !== undefined; next = queue.removeForLoop()) taken.push(next)
  return descriptors(taken)
}

test('the queue is bounded, first in first out, and ends what has waited for too long', () => {
  const queue = new Queue(2, 100)
  assert.is(queue.add(waiting(11, 0, 'loop')), undefined)
  assert.is(queue.add(waiting(12, 50, 'policy')), undefined)
  assert.is(queue.add(waiting(13, 60, 'loop'))?.arrival.fd, 13)
  assert.equal(descriptors(queue.removeExpired(100)), [11])
  assert.is(queue.add(waiting(13, 120, 'home')), undefined)
  assert.is(queue.add(waiting(14, 130, 'recalled')), undefined, 'what a worker had been chosen for is never refused')
  assert.equal([queue.length, queue.waitingForLoop], [3, 2])
  assert.equal(inTurn(queue), [14, 12])
  assert.is(queue.remove(12), undefined)
  assert.equal(descriptors(queue.removeForHome()), [13])
  assert.is(queue.length, 0)
})

test('what is put back stands where it was', () => {
  const queue = new Queue(10, 100)
  for (const fd of [1, 2, 3, 4]) queue.add(waiting(fd, fd, 'loop', fd % 2 === 0 ? 'even' : 'odd'))
  const taken = [queue.removeForLoop(), queue.removeForLoop(), queue.removeForLoop()] as Queued[]
  assert.equal(descriptors(taken), [1, 2, 3])
  queue.putBack(taken)
  assert.equal(inTurn(queue), [1, 2, 3, 4])
})

test('addresses take turns, so that one which fills the queue keeps only itself waiting', () => {
  const queue = new Queue(4, 100)
  for (const fd of [1, 2, 3, 4]) queue.add(waiting(fd, fd, 'loop', 'greedy'))
  assert.is(queue.add(waiting(5, 5, 'loop', 'greedy'))?.arrival.fd, 5)
  assert.is(queue.add(waiting(6, 6, 'loop', 'other'))?.arrival.fd, 4, 'the youngest of the address with the most gives way')
  assert.is(queue.add(waiting(7, 7, 'loop', 'other'))?.arrival.fd, 3)
  assert.is(queue.add(waiting(8, 8, 'loop', 'other'))?.arrival.fd, 8, 'it has its share')
  assert.equal(inTurn(queue), [1, 6, 2, 7])
})

test('a queue without places refuses everything', () => {
  assert.is(new Queue(0, 100).add(waiting(1, 0, 'loop'))?.arrival.fd, 1)
})

test.run()
