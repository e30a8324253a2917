// express-session on sessions in a real Redis.

import { randomBytes } from 'node:crypto'
import { openRedisStore, sessionDefaults, sessionsOn } from '@switchyard/sessions'
import { suite } from '../../../../test/suite.ts'
import { startRedis } from '../../../../test/support/redis-servers.ts'
import { expressCases } from './express-sessions-cases.ts'

const test = suite('express-session, sessions in Redis', { timeoutMs: 20_000 })

expressCases(test, async () => {
  const { url } = await startRedis()
  const secrets = [randomBytes(32).toString('base64url')]
  const settings = { ...sessionDefaults, url, secrets, commandTimeoutMs: 5_000 }
  return sessionsOn(await openRedisStore(settings), settings)
})

test.run()
