// This worker as its app sees it.

import type { RedisClient } from '@switchyard/sessions'
import { currentRuntime } from './runtime.ts'
import { sessionRedis } from './session-adapters/open-sessions.ts'

/** The place of this process in its pool. Outside a pool every property is undefined. */
export const worker = {
  get slot(): number | undefined {
    return currentRuntime()?.start.slot
  },
  get pool(): string | undefined {
    return currentRuntime()?.start.pool
  },
  get generation(): number | undefined {
    return currentRuntime()?.start.generation
  },
  /**
   * The ioredis connection of the sessions, for commands of the app; undefined unless sessions are in Redis. Without a connection to Redis a command
   * fails at once. Blocking commands and subscriptions need `redis.duplicate({ socketTimeout: undefined, enableOfflineQueue: true })`.
   */
  get redis(): RedisClient | undefined {
    return sessionRedis()
  },
}
