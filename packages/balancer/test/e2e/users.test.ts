// Pools with their own users, whose workers forward requests to each other. Without root the balancer refuses such a config.

import { chmodSync, readdirSync } from 'node:fs'
import { getPriority } from 'node:os'
import { assert, suite } from '../../../../test/suite.ts'
import { get, json, RawClient } from './support/raw-client.ts'
import { startBalancer } from './support/running-balancer.ts'

const test = suite('users', { timeoutMs: 30_000 })
/** Ids need no entry in /etc/passwd. */
const [ONE, OTHER] = [20_001, 20_002] as const
const KEEP = { Connection: 'keep-alive' }
const config = {
  app: 'users-app.mjs',
  pools: {
    own: { workers: 1 },
    one: { workers: 1, uid: ONE, gid: ONE, nice: 7 },
    other: { workers: 1, uid: OTHER, gid: OTHER },
  },
  routes: [
    { path: '/one', pool: 'one' },
    { path: '/other', pool: 'other' },
  ],
}

if (process.getuid?.() === 0) {
  test('each pool has its own user, group and priority, and its workers reach those of other pools', async () => {
    const balancer = await startBalancer({ config, wait: false })
    // The temporary folder is private to this test; the users of the pools need access to what it contains.
    chmodSync(balancer.temporary, 0o711)
    await balancer.untilReady()
    const nice = getPriority()
    const expected = {
      '/own': { uid: 0, gid: process.getgid?.(), nice },
      '/one': { uid: ONE, gid: ONE, nice: 7 },
      '/other': { uid: OTHER, gid: OTHER, nice },
    }
    const paths = ['/own', '/one', '/other'] as const
    for (const first of paths) {
      const client = new RawClient(balancer.port)
      const asked = [first, ...paths]
      client.write(asked.map((path) => get(path, KEEP)).join(''))
      for (const path of asked) {
        const { groups, ...said } = json(await client.answer()) as { groups: number[] }
        assert.equal(said, expected[path], `${path} after ${first}`)
        if (path !== '/own')
          assert.equal(
            groups.filter((group) => group !== expected[path].gid),
            [],
            'no group of root',
          )
      }
      client.destroy()
    }
    const { moves } = await balancer.status()
    assert.ok(moves.forwarded.reduce((sum, { count }) => sum + count, 0) >= 6, JSON.stringify(moves))
    assert.is(await balancer.stop(), 0)
    assert.equal(
      readdirSync(balancer.temporary).filter((name) => name.startsWith('switchyard-')),
      [],
    )
  })
} else {
  test('without root all faults are reported at once', async () => {
    const balancer = await startBalancer({ config, wait: false })
    assert.is(await balancer.ended(), 2)
    assert.match(balancer.child.output(), /pools\.one\.uid: only root may start workers as another user/)
    assert.match(balancer.child.output(), /pools\.other\.gid: only root may start workers as another user/)
  })
}

test.run()
