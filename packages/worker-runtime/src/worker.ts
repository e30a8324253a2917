// This worker as its app may know it.

import type { RedisClient } from '@switchyard/sessions'
import { currentRuntime } from './runtime.ts'
import { sessionRedis } from './session-adapters/open-sessions.ts'

/** The seat of this process. Outside a pool `slot` and `pool` are undefined. */
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
   * The connection of ioredis that sessions go over, for commands of the app's own; undefined: sessions are not in Redis. It does not wait: a command without a connection
   * fails, and one that blocks, or a subscription, needs `redis.duplicate({ socketTimeout: undefined, enableOfflineQueue: true })`.
   */
  get redis(): RedisClient | undefined {
    return sessionRedis()
  },
}
