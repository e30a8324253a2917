// Uploads through a balancer, to one pool or to two pools in turn.

import { assert } from '../../../../../test/suite.ts'
import type { BalancerConfig } from '../../../src/config/config.ts'
import { startBalancer } from './running-balancer.ts'
import { movesOf } from './steering-load.ts'
import { upload } from './upload-clients.ts'

/** All uploads to one pool: no connection moves. */
export function uploadToOnePool(count: number, seed: number): Promise<void> {
  return run({ pools: { web: { workers: 4, rest: 'never' } } }, count, seed, ['/upload'])
}

/** The uploads of a connection go to two pools in turn. The connection moves, or the request is forwarded. */
export function uploadAlternating(count: number, seed: number): Promise<void> {
  // A resting connection may be closed in the primary, and then handed-off connections do not add up.
  const config = {
    pools: { light: { workers: 2, rest: 'never' as const }, heavy: { workers: 2, rest: 'never' as const } },
    routes: [{ path: '/heavy/*', pool: 'heavy' }],
  }
  return run(config, count, seed, ['/upload', '/heavy'])
}

async function run(config: BalancerConfig, count: number, seed: number, folders: readonly string[]): Promise<void> {
  const balancer = await startBalancer({ config: { app: 'upload-app.mjs', ...config } })
  await balancer.untilAllReady()
  const before = balancer.descriptors
  const { uploads, bytes, faults } = await upload(balancer.port, count, seed, folders)
  assert.equal(faults, [])
  assert.is(uploads, count)
  await balancer.untilDescriptors(before)
  const { connections, moves } = await balancer.status()
  const { moved, forwarded } = movesOf(moves)
  console.log(`${uploads} uploads, ${Math.round(bytes / 1e6)} MB; ${moved} moved, ${forwarded} could not`)
  assert.is(connections.handedOff, connections.accepted + connections.givenBack)
  if (folders.length > 1) assert.ok(moved > count / 10 && forwarded > count / 20)
  assert.is(await balancer.stop(), 0)
}
