// The contract of session stores on one Redis server, and on one with TLS.

import { suite } from '../../../../test/suite.ts'
import { startRedis, startTlsRedis } from '../../../../test/support/redis-servers.ts'
import { openRedisStore } from '../../src/redis/redis-store.ts'
import { sessionDefaults } from '../../src/session-settings.ts'
import { contractTombstoneMs, sessionStoreContract } from '../session-store-contract.ts'

const servers: readonly [name: string, start: () => Promise<{ url: string; ca?: string }>][] = [
  ['one server', startRedis],
  ['one server with TLS', startTlsRedis],
]

for (const [name, start] of servers) {
  const test = suite(`redis contract: ${name}`)
  sessionStoreContract(test, {
    open: async () => {
      const { url, ca } = await start()
      const settings = { ...sessionDefaults, url, tls: { ca }, tombstoneMs: contractTombstoneMs, commandTimeoutMs: 2_000 }
      return { one: await openRedisStore(settings), other: await openRedisStore(settings) }
    },
    reports: true,
  })
  test.run()
}
