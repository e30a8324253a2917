// The place of the first worker, without processes: who gets it, when it moves, and what a new primary learns of it.

import { spawn } from 'node:child_process'
import { portableTransport } from '@switchyard/handoff'
import type { ToWorker } from '@switchyard/worker-runtime'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { BalancerEmitter } from '../../src/events.ts'
import { FirstWorkers } from '../../src/supervisor/first-workers.ts'
import { PoolWorker, type WorkerState } from '../../src/supervisor/pool-worker.ts'
import { WorkerMessages } from '../../src/supervisor/worker-messages.ts'
import { plainPool } from '../support/plain-pool.ts'

const test = suite('first workers')
const NO_RETURNS = { onGivenBack() {}, onAsked() {}, onTurned() {}, onBatchEnd() {} }

class World {
  readonly events = new BalancerEmitter()
  readonly messages = new WorkerMessages()
  readonly workers: PoolWorker[] = []
  readonly killed: string[] = []
  readonly changes: object[] = []
  readonly sent = new Map<PoolWorker, ToWorker[]>()
  readonly firsts: FirstWorkers

  constructor(hasOldPrimary = false) {
    const supervisor = {
      workers: () => this.workers.values() as never,
      kill: (worker: PoolWorker) => void this.killed.push(nameOf(worker)),
    }
    this.firsts = new FirstWorkers({ events: this.events, messages: this.messages, supervisor }, hasOldPrimary)
    this.firsts.subscribe((entry) => this.changes.push(entry))
  }

  add(pool: string, slot: number, state: WorkerState = 'ready'): PoolWorker {
    const worker = new PoolWorker(portableTransport(), pool, slot, 0, 0, NO_RETURNS, plainPool())
    atSuiteEnd(() => worker.channel.close())
    worker.state = state
    const sent: ToWorker[] = []
    this.sent.set(worker, sent)
    worker.process = { pid: 100 + this.workers.length, send: (message) => void sent.push(message), kill() {} }
    this.workers.push(worker)
    this.messages.publish(worker, { switchyard: 'first-wanted' })
    return worker
  }

  /** The first workers after the turn in which they are named. */
  async names(): Promise<string[]> {
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    return this.workers.filter(({ isFirst }) => isFirst).map(nameOf)
  }

  change(worker: PoolWorker, changes: Partial<Pick<PoolWorker, 'state' | 'retiring'>>): void {
    Object.assign(worker, changes)
    this.events.emit('workerRetiring', { ...worker.workerSlot, reason: 'test' })
  }
}

function nameOf({ pool, slot }: PoolWorker): string {
  return `${pool}/${slot}`
}

test('each pool has one, and only a worker that is ready and asked', async () => {
  const world = new World()
  world.add('web', 0, 'starting')
  const second = world.add('web', 1)
  world.add('web', 2)
  world.add('jobs', 0)
  assert.equal(await world.names(), ['web/1', 'jobs/0'])
  assert.equal(world.sent.get(second), [{ switchyard: 'first', isFirst: true }])
  const silent = new World()
  const worker = new PoolWorker(portableTransport(), 'web', 0, 0, 0, NO_RETURNS, plainPool())
  atSuiteEnd(() => worker.channel.close())
  worker.state = 'ready'
  silent.workers.push(worker)
  silent.change(worker, {})
  assert.equal(await silent.names(), [])
})

test('a draining first keeps the place until it has given it back', async () => {
  const world = new World()
  const [first, second] = [world.add('web', 0), world.add('web', 1)]
  await world.names()
  world.change(first, { state: 'draining' })
  world.change(first, { state: 'draining' })
  assert.equal(await world.names(), ['web/0'])
  assert.equal(world.sent.get(first), [
    { switchyard: 'first', isFirst: true },
    { switchyard: 'first', isFirst: false },
  ])
  world.messages.publish(second, { switchyard: 'first-released' })
  assert.equal(await world.names(), ['web/0'], 'only the first can give the place back')
  world.messages.publish(first, { switchyard: 'first-released' })
  assert.equal(await world.names(), ['web/1'])
})

test('a first that exits is followed at once; one that hangs is killed, and followed when it is gone', async () => {
  const world = new World()
  const [first, second, third] = [world.add('web', 0), world.add('web', 1), world.add('web', 2)]
  await world.names()
  world.change(first, { state: 'gone' })
  assert.equal(await world.names(), ['web/1'])
  world.change(third, { retiring: 'hang' })
  world.change(second, { retiring: 'hang' })
  assert.equal(await world.names(), ['web/1'])
  assert.equal(world.killed, ['web/1'])
  world.change(second, { state: 'gone' })
  assert.equal(await world.names(), [], 'the other one hangs too')
})

test('an old primary names no other while its state is copied, and a new one none before the old holder is gone', async () => {
  const old = new World()
  const [holder] = [old.add('web', 0), old.add('web', 1)]
  await old.names()
  const entries = [...old.firsts.entries()]
  assert.equal(entries, [{ pool: 'web', pid: 100 }])
  old.firsts.freeze()
  old.changes.length = 0
  old.change(holder, { state: 'gone' })
  assert.equal(await old.names(), [])
  assert.equal(old.changes, [{ pool: 'web', pid: 0 }])

  const fresh = new World(true)
  fresh.add('web', 0)
  fresh.add('jobs', 0)
  assert.equal(await fresh.names(), [], 'the state of the old primary is not here yet')
  for (const entry of [...entries, undefined, { pool: 3 }, 'web']) fresh.firsts.receive(entry)
  fresh.events.emit('ready', { workers: 2 })
  assert.equal(await fresh.names(), ['jobs/0'])
  fresh.firsts.receive(old.changes[0])
  assert.equal(await fresh.names(), ['web/0', 'jobs/0'])

  old.firsts.resume()
  assert.equal(await old.names(), ['web/1'], 'the upgrade has failed')
})

test('when the old primary is gone, its holder still counts while its process lives', async () => {
  const world = new World(true)
  world.add('web', 0)
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  atSuiteEnd(() => child.kill('SIGKILL'))
  world.firsts.receive({ pool: 'web', pid: child.pid })
  world.events.emit('ready', { workers: 1 })
  world.firsts.onOldPrimaryGone()
  assert.equal(await world.names(), [])
  child.kill('SIGKILL')
  await untilEvent(child, 'exit')
  await until(async () => (await world.names()).length === 1)
})

test.run()
