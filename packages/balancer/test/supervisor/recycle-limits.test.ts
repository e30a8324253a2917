// Which worker is due to be replaced, and which is killed.

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
} from '../../src/supervisor/recycle-limits.ts'

const test = suite('limits')
const MB = 2 ** 20
const none: WorkerLimits = {
  memory: { softBytes: Number.POSITIVE_INFINITY, hardBytes: Number.POSITIVE_INFINITY },
  maxRequests: Number.POSITIVE_INFINITY,
  maxAgeMs: Number.POSITIVE_INFINITY,
}
const limits: WorkerLimits = { memory: { softBytes: 500 * MB, hardBytes: 800 * MB }, maxRequests: 1000, maxAgeMs: 60_000 }
const worker = (id: number, changes: Partial<LimitedWorker> = {}): LimitedWorker => ({
  id,
  isComingUp: false,
  isRetiring: false,
  residentBytes: 100 * MB,
  begun: 10,
  ageMs: 1000,
  jitter: 1,
  limits,
  ...changes,
})

const table: [promise: string, workers: LimitedWorker[], retire: string | undefined, kill: number[]][] = [
  ['who is within all limits stays', [worker(1), worker(2)], undefined, []],
  ['too much memory', [worker(1), worker(2, { residentBytes: 501 * MB })], '2 memory', []],
  ['as much as may be is not too much', [worker(1, { residentBytes: 500 * MB })], undefined, []],
  ['far too much memory', [worker(1, { residentBytes: 801 * MB }), worker(2)], undefined, [1]],
  ['enough requests', [worker(1, { begun: 1000 })], '1 requests', []],
  ['old enough', [worker(1, { ageMs: 60_000 })], '1 age', []],
  ['a jitter earlier', [worker(1, { begun: 901, jitter: 0.9 })], '1 requests', []],
  ['a jitter later', [worker(1, { ageMs: 65_000, jitter: 1.1 })], undefined, []],
  ['the one with the most memory first', [worker(1, { residentBytes: 600 * MB }), worker(2, { residentBytes: 700 * MB })], '2 memory', []],
  ['memory before the rest', [worker(1, { begun: 9000 }), worker(2, { residentBytes: 501 * MB })], '2 memory', []],
  ['the one that is furthest beyond', [worker(1, { begun: 1100 }), worker(2, { ageMs: 90_000 })], '2 age', []],
  ['never two at once', [worker(1, { isRetiring: true }), worker(2, { residentBytes: 700 * MB })], undefined, []],
  [
    'but who must be killed is',
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

test('without limits nobody is due', () => {
  assert.equal(limitsReached([worker(1, { residentBytes: 1e12, begun: 1e9, ageMs: 1e12, limits: none })]), {
    retire: undefined,
    kill: [],
    unfit: [],
  })
  assert.ok(isUnlimited(none))
  assert.not(isUnlimited(limits))
})

test('who comes up is not replaced, and is unfit above its soft limit', () => {
  const up = { isComingUp: true, begun: 5000, ageMs: 90_000 }
  const reached = limitsReached([
    worker(1, up),
    worker(2, { ...up, residentBytes: 501 * MB }),
    worker(3, { ...up, residentBytes: 801 * MB }),
  ])
  assert.is(reached.retire, undefined)
  assert.equal(
    [reached.unfit, reached.kill].map((due) => due.map(({ id }) => id)),
    [[2], [3]],
  )
})

test('each is held to the limits of its own generation', () => {
  const old = worker(1, { residentBytes: 501 * MB, limits: none })
  assert.equal(limitsReached([old, worker(2)]), { retire: undefined, kill: [], unfit: [] })
})

test('reasons are sentences', () => {
  const whyOf = (changes: Partial<LimitedWorker>) => {
    const { retire, kill } = limitsReached([worker(1, changes)])
    return (retire ?? kill[0])?.why
  }
  assert.is(whyOf({ residentBytes: 600 * MB }), 'it has 600 MB, more than 500 MB (maxMemory.soft)')
  assert.is(whyOf({ residentBytes: 900 * MB }), 'it has 900 MB, more than 800 MB (maxMemory.hard)')
  assert.is(whyOf({ begun: 1001 }), 'it has begun 1001 requests (maxRequests)')
  assert.is(whyOf({ ageMs: 61_000 }), 'it is 61 s old (maxAgeMs)')
})

test('the order of the workers means nothing, and who is due is beyond a limit', () => {
  const any = fc.record({
    id: fc.nat(),
    isComingUp: fc.constant(false),
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

test('a jitter is a tenth either way', () => {
  assert.equal(
    [0, 0.5, 1].map((chance) => jitterOf(chance).toFixed(6)),
    ['0.900000', '1.000000', '1.100000'],
  )
})

test('the memory of a process is what the kernel counts', async () => {
  const child = spawn(process.execPath, [
    '-e',
    'globalThis.held = Buffer.alloc(64 << 20, 1); console.log(process.memoryUsage.rss()); setInterval(() => {}, 1000)',
  ])
  try {
    const [said] = await untilEvent(child.stdout, 'data')
    const bytes = residentBytes(child.pid as number)
    if (process.platform !== 'linux') return assert.is(bytes, undefined)
    assert.ok((bytes as number) > 64 * MB)
    assert.ok(Math.abs((bytes as number) - Number(String(said))) < 32 * MB, `${bytes} is not ${said}`)
  } finally {
    child.kill('SIGKILL')
    await untilEvent(child, 'close')
  }
  assert.is(residentBytes(child.pid as number), undefined, 'it is gone')
})

test('what can not be read is not known', () => {
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
