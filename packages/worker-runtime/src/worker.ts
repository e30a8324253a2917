// This worker as its app sees it.

import type { RedisClient } from '@switchyard/sessions'
import { isFirst } from './first.ts'
import { currentRuntime } from './runtime.ts'
import { sessionRedis } from './session-adapters/open-sessions.ts'

/** The place of this process in its pool. Outside a pool it is the first, and every other property is undefined. */
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
   * Exactly one worker of a pool is the first: `if (worker.isFirst) sendReminders()` in a timer. It is another one when this one drains, hangs or
   * exits. The first read asks the primary and may return false too early; `onFirst` calls back.
   */
  get isFirst(): boolean {
    return isFirst()
  },
  /**
   * The ioredis connection of the sessions, for commands of the app; undefined unless sessions are in Redis. Without a connection to Redis a command
   * fails at once. Blocking commands and subscriptions need `redis.duplicate({ socketTimeout: undefined, enableOfflineQueue: true })`.
   */
  get redis(): RedisClient | undefined {
    return sessionRedis()
  },
}
