// Uploads arrive whole, whatever the pieces in which they come.

import { assert, suite } from '../../../../test/suite.ts'
import { startBalancer } from './support/running-balancer.ts'
import { upload } from './support/uploads.ts'

const test = suite('uploads', { timeoutMs: 30_000 })

test('600 uploads with cut heads, three on each connection: every SHA-256 is right', async () => {
  const balancer = await startBalancer({ config: { app: 'upload-app.mjs', pools: { web: { workers: 4 } } } })
  await balancer.untilAllReady()
  const before = balancer.descriptors
  const { uploads, faults } = await upload(balancer.port, 600, 1)
  assert.equal(faults, [])
  assert.is(uploads, 600)
  await balancer.untilDescriptors(before)
  const { connections } = await balancer.status()
  assert.is(connections.handedOff, connections.accepted)
  assert.is(await balancer.stop(), 0)
})

test.run()
