// The long form of e2e/uploads.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { startBalancer } from '../test/e2e/support/running-balancer.ts'
import { upload } from '../test/e2e/support/uploads.ts'

const COUNT = 20_000
const seed = Number(process.env.SEED ?? 1)
const test = suite(`uploads, seed ${seed}`, { timeoutMs: 25 * 60_000 })

test(`${COUNT} uploads with cut heads, three on each connection: every SHA-256 is right`, async () => {
  const balancer = await startBalancer({ config: { app: 'upload-app.mjs', pools: { web: { workers: 4 } } } })
  await balancer.untilAllReady()
  const before = balancer.descriptors
  const { uploads, bytes, faults } = await upload(balancer.port, COUNT, seed)
  console.log(`seed ${seed}: ${uploads} uploads, ${Math.round(bytes / 1e6)} MB`)
  assert.equal(faults, [])
  assert.is(uploads, COUNT)
  await balancer.untilDescriptors(before)
  const { connections } = await balancer.status()
  assert.is(connections.handedOff, connections.accepted)
  assert.is(await balancer.stop(), 0)
})

test.run()
