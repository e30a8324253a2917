// Uploads through a balancer, to one pool or by turns to two.

import { assert } from '../../../../../test/suite.ts'
import type { BalancerConfig } from '../../../src/config/config.ts'
import { startBalancer } from './running-balancer.ts'
import { movesOf } from './steering-load.ts'
import { upload } from './upload-clients.ts'

/** All uploads to one pool: no connection moves. */
export function uploadToOnePool(count: number, seed: number): Promise<void> {
  return run({ pools: { web: { workers: 4, rest: 'never' } } }, count, seed, ['/upload'])
}

/** The uploads of a connection go by turns to two pools: it moves, or where it can't its requests are forwarded. */
export function uploadAlternating(count: number, seed: number): Promise<void> {
  // Who rests may close in the primary, and then not every connection is handed off to its end.
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
