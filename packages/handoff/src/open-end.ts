// Opens this worker's end, of whichever channel it was started with.

import type { ChannelEnds } from './ends.ts'
import { NativeEnd } from './native-end.ts'
import { PortableEnd } from './portable-end.ts'
import type { WorkerEnd } from './worker-end.ts'

/** Once per process, before the app runs. */
export function openWorkerEnd(ends: ChannelEnds): WorkerEnd {
  return ends.kind === 'native' ? new NativeEnd(ends) : new PortableEnd(ends)
}
