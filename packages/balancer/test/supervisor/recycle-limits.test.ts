// Which worker is due to be replaced by its limits, and which is killed.

import { spawn } from 'node:child_process'
import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import {
  isUnlimited,
  jitterOf,
  type LimitedWorker,
  limitsReached,
  residentBytes,
  type WorkerLimits,
} from '../../src/supervisor/watch/recycle-limits.ts'

const test = suite('recycle limits')
const MB = 2 ** 20
const none: WorkerLimits = {
  memory: { softBytes: Number.POSITIVE_INFINITY, hardBytes: Number.POSITIVE_INFINITY },
  maxRequests: Number.POSITIVE_INFINITY,
  maxAgeMs: Number.POSITIVE_INFINITY,
}
const limits: WorkerLimits = { memory: { softBytes: 500 * MB, hardBytes: 800 * MB }, maxRequests: 1000, maxAgeMs: 60_000 }
const worker = (id: number, changes: Partial<LimitedWorker> = {}): LimitedWorker => ({
  id,
  isStarting: false,
  isRetiring: false,
  residentBytes: 100 * MB,
  begun: 10,
  ageMs: 1000,
  jitter: 1,
  limits,
  ...changes,
})

const table: [promise: string, workers: LimitedWorker[], retire: string | undefined, kill: number[]][] = [
  ['a worker within all limits stays', [worker(1), worker(2)], undefined, []],
  ['a worker above its soft memory limit is replaced', [worker(1), worker(2, { residentBytes: 501 * MB })], '2 memory', []],
  ['a worker exactly at its soft memory limit stays', [worker(1, { residentBytes: 500 * MB })], undefined, []],
  ['a worker above its hard memory limit is killed', [worker(1, { residentBytes: 801 * MB }), worker(2)], undefined, [1]],
  ['a worker at maxRequests is replaced', [worker(1, { begun: 1000 })], '1 requests', []],
  ['a worker at maxAgeMs is replaced', [worker(1, { ageMs: 60_000 })], '1 age', []],
  ['a jitter below 1 makes it due earlier', [worker(1, { begun: 901, jitter: 0.9 })], '1 requests', []],
  ['a jitter above 1 makes it due later', [worker(1, { ageMs: 65_000, jitter: 1.1 })], undefined, []],
  [
    'the worker with the most memory comes first',
    [worker(1, { residentBytes: 600 * MB }), worker(2, { residentBytes: 700 * MB })],
    '2 memory',
    [],
  ],
  ['memory comes before the other limits', [worker(1, { begun: 9000 }), worker(2, { residentBytes: 501 * MB })], '2 memory', []],
  ['the worker furthest beyond its limit comes first', [worker(1, { begun: 1100 }), worker(2, { ageMs: 90_000 })], '2 age', []],
  ['two workers are never replaced at once', [worker(1, { isRetiring: true }), worker(2, { residentBytes: 700 * MB })], undefined, []],
  [
    'workers above the hard limit are all killed at once',
    [worker(1, { isRetiring: true, residentBytes: 900 * MB }), worker(2, { residentBytes: 900 * MB })],
    undefined,
    [1, 2],
  ],
]
for (const [promise, workers, retire, kill] of table) {
  test(promise, () => {
    const reached = limitsReached(workers)
    assert.is(reached.retire && `${reached.retire.id} ${reached.retire.reason}`, retire)
    assert.equal(
      reached.kill.map(({ id }) => id),
      kill,
    )
  })
}

test('without limits no worker is due', () => {
  assert.equal(limitsReached([worker(1, { residentBytes: 1e12, begun: 1e9, ageMs: 1e12, limits: none })]), {
    retire: undefined,
    kill: [],
    unfit: [],
  })
  assert.ok(isUnlimited(none))
  assert.not(isUnlimited(limits))
})

test('a starting worker is not replaced, and above its soft limit it is unfit', () => {
  const starting = { isStarting: true, begun: 5000, ageMs: 90_000 }
  const reached = limitsReached([
    worker(1, starting),
    worker(2, { ...starting, residentBytes: 501 * MB }),
    worker(3, { ...starting, residentBytes: 801 * MB }),
  ])
  assert.is(reached.retire, undefined)
  assert.equal(
    [reached.unfit, reached.kill].map((due) => due.map(({ id }) => id)),
    [[2], [3]],
  )
})

test('the limits of its own generation apply to a worker', () => {
  const old = worker(1, { residentBytes: 501 * MB, limits: none })
  assert.equal(limitsReached([old, worker(2)]), { retire: undefined, kill: [], unfit: [] })
})

test('reasons name the value, the limit and the option', () => {
  const whyOf = (changes: Partial<LimitedWorker>) => {
    const { retire, kill } = limitsReached([worker(1, changes)])
    return (retire ?? kill[0])?.why
  }
  assert.is(whyOf({ residentBytes: 600 * MB }), 'it has 600 MB, more than 500 MB (maxMemory.soft)')
  assert.is(whyOf({ residentBytes: 900 * MB }), 'it has 900 MB, more than 800 MB (maxMemory.hard)')
  assert.is(whyOf({ begun: 1001 }), 'it has begun 1001 requests (maxRequests)')
  assert.is(whyOf({ ageMs: 61_000 }), 'it is 61 s old (maxAgeMs)')
})

test('the order of the workers has no effect, and a due worker is beyond a limit', () => {
  const any = fc.record({
    id: fc.nat(),
    isStarting: fc.constant(false),
    isRetiring: fc.constant(false),
    residentBytes: fc.nat(1000).map((size) => size * MB),
    begun: fc.nat(2000),
    ageMs: fc.nat(120_000),
    jitter: fc.double({ min: 0.9, max: 1.1, noNaN: true }),
    limits: fc.constant(limits),
  })
  fc.assert(
    fc.property(
      fc.uniqueArray(any, { selector: ({ id }) => id, maxLength: 8 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1 })),
      (workers, chances) => {
        const { retire, kill } = limitsReached(workers)
        const shuffled = workers
          .map((one) => ({ one, at: chances.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ one }) => one)
        assert.equal(limitsReached(shuffled).retire, retire)
        assert.is(kill.length, workers.filter((one) => one.residentBytes > limits.memory.hardBytes).length)
        const due = workers.find(({ id }) => id === retire?.id)
        const isBeyond = (one: LimitedWorker) =>
          one.residentBytes > limits.memory.softBytes ||
          one.begun >= limits.maxRequests * one.jitter ||
          one.ageMs >= limits.maxAgeMs * one.jitter
        if (due !== undefined) assert.ok(isBeyond(due))
        else assert.ok(workers.every((one) => !isBeyond(one) || one.residentBytes > limits.memory.hardBytes))
      },
    ),
  )
})

test('jitter is at most a tenth either way', () => {
  assert.equal(
    [0, 0.5, 1].map((chance) => jitterOf(chance).toFixed(6)),
    ['0.900000', '1.000000', '1.100000'],
  )
})

test('residentBytes is what the kernel counts', async () => {
  const child = spawn(process.execPath, [
    '-e',
    'globalThis.held = Buffer.alloc(64 << 20, 1); console.log(process.memoryUsage.rss()); setInterval(() => {}, 1000)',
  ])
  try {
    const [printed] = await untilEvent(child.stdout, 'data')
    const bytes = residentBytes(child.pid as number)
    if (process.platform !== 'linux') return assert.is(bytes, undefined)
    assert.ok((bytes as number) > 64 * MB)
    assert.ok(Math.abs((bytes as number) - Number(String(printed))) < 32 * MB, `${bytes} is not ${printed}`)
  } finally {
    child.kill('SIGKILL')
    await untilEvent(child, 'close')
  }
  assert.is(residentBytes(child.pid as number), undefined, 'the process is gone')
})

test('residentBytes is undefined if /proc has no such value', () => {
  assert.is(
    residentBytes(1, () => 'Name:\tnode\nVmRSS:\t   12345 kB\nVmData: 1 kB\n'),
    12_641_280,
  )
  assert.is(
    residentBytes(1, () => 'Name:\tkthreadd\n'),
    undefined,
  )
})

test.run()
