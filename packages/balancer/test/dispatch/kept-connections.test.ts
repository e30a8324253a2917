// How many connections workers are told to keep, with fake workers.

import { portableTransport } from '@switchyard/handoff'
import { RequestHead } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { Pool } from '../../src/dispatch/pool.ts'
import { PoolWorker } from '../../src/supervisor/pool-worker.ts'
import { plainPool } from '../support/plain-pool.ts'

const test = suite('keeping')
const head = RequestHead.of({ target: '/' })
/** Enough connections to saturate both workers. */
const QUEUED = 4

interface World {
  readonly pool: Pool
  readonly loads: { utilisation: number; turnsAreAlike: boolean; requestLoopMs: number }[]
  /** The last limit that each worker was sent. */
  readonly told: (number | undefined)[]
  /** Queues `count` connections that have waited for `waitedMs` already. */
  queue(count: number, waitedMs?: number): void
}

/** Two workers with ten connections each, always busy with requests of 7 ms. */
function inWorld(body: (world: World) => void, movesConnections = true): () => void {
  return () => {
    const settings = plainPool({ workers: 2, queueLimit: 100, queueTimeoutMs: 10_000 })
    const pool = new Pool(settings)
    const told: (number | undefined)[] = [undefined, undefined]
    const loads = [0, 1].map(() => ({ connections: 10, utilisation: 1, turnsAreAlike: true, requestLoopMs: 7 }))
    const channels = loads.map((load, slot) => {
      const returns = { onGivenBack() {}, onAsked() {}, onTurned() {}, onBatchEnd() {} }
      const worker = new PoolWorker(portableTransport(), 'web', slot, 0, 0, returns, settings)
      worker.state = 'ready'
      Object.defineProperty(worker, 'load', { value: load })
      Object.assign(worker.link, {
        movesConnections,
        sendKeptLimit(count: number | undefined) {
          told[slot] = count
        },
      })
      pool.add(worker)
      return worker.channel
    })
    pool.refresh()
    let fd = 0
    const queue = (count: number, waitedMs = 0) => {
      pool.queue.removeAll()
      for (let left = count; left > 0; left--)
        pool.queue.add({
          arrival: { fd: ++fd, tag: 0, carried: undefined, head },
          sinceMs: Date.now() - waitedMs,
          waitFor: 'loop',
          address: '',
        })
    }
    body({ pool, loads, told, queue })
    for (const channel of channels) channel.close()
  }
}

const looks = (pool: Pool, count: number) => Array.from({ length: count }, () => pool.keptConnections.poll())

test(
  'while a queue stands, for some time, each worker keeps its share',
  inWorld(({ pool, told, queue }) => {
    queue(QUEUED)
    assert.equal(looks(pool, 4), [false, false, false, false])
    assert.equal(told, [0, 0])
    assert.equal(looks(pool, 1), [true])
    assert.equal(told, [14, 14], '24 connections, and a tenth more')
  }),
)

test(
  'a queue that was gone for a moment has to stand for as long once more',
  inWorld(({ pool, queue }) => {
    queue(QUEUED)
    looks(pool, 4)
    queue(2)
    assert.equal(looks(pool, 1), [false])
    queue(QUEUED)
    assert.equal(looks(pool, 5), [false, false, false, false, true])
  }),
)

for (const [what, change] of [
  ['one of the workers has time to spare', { utilisation: 0.8 }],
  ['the turns of one are not alike any more', { turnsAreAlike: false }],
  ['there are too many connections', { connections: 260 }],
] as const) {
  test(
    `it lasts without a queue, until ${what}: then all may rest again`,
    inWorld(({ pool, loads, told, queue }) => {
      queue(QUEUED)
      looks(pool, 5)
      queue(0)
      assert.equal(looks(pool, 2), [true, true])
      assert.equal(told, [11, 11])
      Object.assign(loads[1] as object, change)
      assert.equal(looks(pool, 1), [false])
      assert.equal(told, [0, 0])
    }),
  )
}

test(
  'turns that are not alike: a connection may find a loop that is free sooner than its own',
  inWorld(({ pool, loads, queue }) => {
    Object.assign(loads[0] as object, { turnsAreAlike: false })
    queue(QUEUED)
    assert.ok(looks(pool, 10).every((isCrowded) => !isCrowded))
  }),
)

test(
  'connections rest where requests take 2 ms of their loop on the average, and no more below 1.75, in all workers alike',
  inWorld(({ pool, loads, told }) => {
    for (const [one, other, most] of [
      [1, 2.9, undefined],
      [1, 3, 0],
      [1.5, 2, 0],
      [1, 2.4, undefined],
      [0, 1.9, undefined],
      [0, 2, 0],
    ] as const) {
      Object.assign(loads[0] as object, { requestLoopMs: one })
      Object.assign(loads[1] as object, { requestLoopMs: other })
      pool.keptConnections.decide()
      assert.equal(told, [most, most], `${one} and ${other} ms`)
    }
  }),
)

test(
  'where connections cannot move they end when one has waited for half a second, and no more when none has for half of that',
  inWorld(({ pool, told, queue }) => {
    for (const [count, waitedMs, most] of [
      [1, 400, undefined],
      [1, 600, 0],
      [9, 300, 0],
      [9, 100, undefined],
      [1, 300, undefined],
      [1, 600, 0],
      [0, 0, undefined],
    ] as const) {
      queue(count, waitedMs)
      assert.equal(looks(pool, 1), [false])
      assert.equal(told, [most, most], `${count} for ${waitedMs} ms`)
    }
    pool.configure({ ...pool.settings, queueTimeoutMs: 400 })
    queue(1, 110)
    looks(pool, 1)
    assert.equal(told, [0, 0], 'a quarter of what a connection may wait')
  }, false),
)

test.run()
