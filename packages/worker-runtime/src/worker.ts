// This worker as its app may know it.

import { currentRuntime } from './runtime.ts'

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
}
