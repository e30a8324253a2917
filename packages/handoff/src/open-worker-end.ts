// Opens a worker's end of the channel with which it was started.

import type { ChannelEnds } from './channel-ends.ts'
import { NativeEnd } from './native/native-end.ts'
import { PortableEnd } from './portable/portable-end.ts'
import type { WorkerEnd } from './worker-end.ts'

/** Call it once per process, before the app runs. */
export function openWorkerEnd(ends: ChannelEnds): WorkerEnd {
  return ends.kind === 'native' ? new NativeEnd(ends) : new PortableEnd(ends)
}
