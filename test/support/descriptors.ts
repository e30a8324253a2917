// How many descriptors a process holds, as the kernel counts them. Linux only.

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { devNull } from 'node:os'

/** Open descriptors of `pid`; of this process when left out. */
export function openDescriptors(pid: number = process.pid): number {
  const ownListing = pid === process.pid ? 1 : 0
  return readdirSync(`/proc/${pid}/fd`).length - ownListing
}

/** Limits `pid` to `more` further descriptors, until the returned function is called. */
export function exhaustDescriptors(pid: number, more = 0): () => void {
  const limit = (count: number) => execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${count}:`])
  const before = Number(execFileSync('prlimit', ['--pid', `${pid}`, '--nofile', '--output', 'SOFT', '--noheadings', '--raw']))
  limit(lowestFree(pid) + more)
  return () => limit(before)
}

/** The number of the next descriptor of a process. */
function lowestFree(pid: number): number {
  if (pid === process.pid) {
    const next = openSync(devNull, 'r')
    closeSync(next)
    return next
  }
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let free = 0
  while (open.has(free)) free++
  return free
}
