// Sends the same random connections to the balanced app and to the bare app, and compares the answers.

import { isDeepStrictEqual } from 'node:util'
import type { RestMode } from '@switchyard/worker-runtime'
import fc from 'fast-check'
import { assert } from '../../../../../test/suite.ts'
import { spawnLogged } from '../../../../../test/support/spawn.ts'
import { playConnection, type RandomConnection, randomConnection } from './random-connections.ts'
import { fixture, startBalancer } from './running-balancer.ts'
import { movesOf } from './steering-load.ts'

const AT_ONCE = 16
const CHUNK = 1_000

/** Compares `count` connections, AT_ONCE at a time. Fails with the first differences. */
export async function compareConnections({ count, seed, rest = 'auto' }: { count: number; seed: number; rest?: RestMode }): Promise<void> {
  const faults: string[] = []
  const env = { MIRROR_APP: '1' }
  const bare = spawnLogged(process.execPath, [fixture('mirror-bare.mjs')])
  const port = Number((await bare.untilOutput(/port (\d+)/))[1])
  const balancer = await startBalancer({
    config: {
      app: 'mirror-app.mjs',
      pools: { light: { workers: 2, rest }, heavy: { workers: 1, rest } },
      routes: [
        { path: '/heavy/*', pool: 'heavy' },
        { path: '/session/*', policy: { sticky: { by: { query: 'session' }, breakAt: 1000 } } },
      ],
    },
    env,
  })
  await balancer.untilAllReady()
  const before = balancer.descriptors
  const compare = async (connection: RandomConnection): Promise<void> => {
    const [balanced, expected] = await Promise.all([playConnection(balancer.port, connection), playConnection(port, connection)])
    if (isDeepStrictEqual(balanced, expected)) return
    faults.push(`${JSON.stringify(connection)}\n  bare app:\n    ${expected.join('\n    ')}\n  balanced:\n    ${balanced.join('\n    ')}`)
  }
  for (let done = 0; done < count && faults.length === 0; done += CHUNK) {
    const connections = fc.sample(randomConnection, { numRuns: Math.min(CHUNK, count - done), seed: seed + done })
    const client = async (): Promise<void> => {
      for (let next = connections.pop(); next !== undefined && faults.length === 0; next = connections.pop()) await compare(next)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, client))
  }
  assert.is(faults.slice(0, 3).join('\n'), '')
  const { moves } = await balancer.status()
  const { moved, forwarded } = movesOf(moves)
  assert.ok(moved > count / 10 && forwarded > count / 10, JSON.stringify(moves))
  await balancer.untilDescriptors(before)
  assert.is(await balancer.stop(), 0)
  await bare.stop()
}
