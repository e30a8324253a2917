// How many descriptors a process holds, as the kernel counts them. Linux only.

import { readdirSync } from 'node:fs'

/** Open descriptors of `pid`; of this process when left out. */
export function openDescriptors(pid: number = process.pid): number {
  const ownListing = pid === process.pid ? 1 : 0
  return readdirSync(`/proc/${pid}/fd`).length - ownListing
}
