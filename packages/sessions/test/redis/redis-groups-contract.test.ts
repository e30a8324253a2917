// The contract of session stores on a sentinel group and on a cluster of three.

import { suite } from '../../../../test/suite.ts'
import { startCluster, startSentinels } from '../../../../test/support/redis-servers.ts'
import { openRedisStore } from '../../src/redis/redis-store.ts'
import { sessionDefaults } from '../../src/session-settings.ts'
import { contractTombstoneMs, sessionStoreContract } from '../session-store-contract.ts'

const servers: readonly [name: string, start: () => Promise<{ url: string }>, reports: boolean][] = [
  ['sentinels', startSentinels, true],
  ['a cluster', startCluster, false],
]

for (const [name, start, reports] of servers) {
  const test = suite(`redis contract: ${name}`)
  sessionStoreContract(test, {
    open: async () => {
      const { url } = await start()
      const settings = { ...sessionDefaults, url, tombstoneMs: contractTombstoneMs, commandTimeoutMs: 2_000 }
      return { one: await openRedisStore(settings), other: await openRedisStore(settings) }
    },
    reports,
  })
  test.run()
}
