// How long the main thread of this process was ready to run and had no processor, because other processes had them. Linux counts it for each thread.

import { readFileSync } from 'node:fs'

const NS_PER_MS = 1e6
/** Of the main thread. */
const FILE = '/proc/self/schedstat'

/** Since the start, in ms; 0 where the system does not count it. See sched-stats in the kernel's documentation. */
export function runDelayMs(): number {
  try {
    return Number(readFileSync(FILE, 'latin1').split(' ')[1]) / NS_PER_MS || 0
  } catch {
    return 0
  }
}
