// One million requests of every kind of client while one reload follows the other: the long form of e2e/reload-load.test.ts. A quarter of an hour on two
// cores that do nothing else. HOW=upgrade: the primary is upgraded instead, again and again; half an hour. REQUESTS=50000 makes either shorter.

import { assert, suite } from '../../../test/suite.ts'
import { reloadUnderLoad } from '../test/e2e/support/reload-run.ts'

const seed = Number(process.env.SEED ?? 1)
const REQUESTS = Number(process.env.REQUESTS ?? 1_000_000)
const RELOADS = 10
const how = process.env.HOW === 'upgrade' ? 'upgrade' : 'reload'
const MORE_HEAP_BYTES = 8 * 1024 ** 2
const test = suite(`${how}, seed ${seed}`, { timeoutMs: 28 * 60_000 })

test(`${REQUESTS} requests while workers are replaced without a pause: none fails, and nothing is left behind`, async () => {
  const { faults, counts, before, after, ...totals } = await reloadUnderLoad({
    seed,
    workers: 2,
    maxSurge: 1,
    how,
    requests: REQUESTS,
    reloads: RELOADS,
    warmUpReloads: 3,
    visitors: { kept: 4, new: 2, '1.0': 2, idle: 8 },
    chats: 3,
    webSockets: 8,
    browser: true,
    commands: true,
    heapSamples: 40,
    progress: console.log,
  })
  console.log(`seed ${seed}: ${totals.requests} requests, ${totals.reloads} ${how}s, ${totals.seconds.toFixed(0)} s`)
  for (const [kind, count] of Object.entries(counts)) console.log(`  ${kind}: ${count}`)
  console.log(`the primary before and after: ${JSON.stringify(before)} ${JSON.stringify(after)}`)
  assert.equal(faults, [])
  assert.ok(after.descriptors <= before.descriptors, `${after.descriptors} descriptors, ${before.descriptors} before`)
  assert.ok(after.heapBytes - before.heapBytes < MORE_HEAP_BYTES, `${after.heapBytes} bytes of heap, ${before.heapBytes} before`)
})

test.run()
