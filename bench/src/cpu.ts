// CPU time of a process and its descendants, as the kernel counts it. Linux only.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** User and system time of each process in milliseconds, the root of the tree first. */
export type CpuTimes = ReadonlyMap<number, number>

// Fields of /proc/PID/stat, counted from the one after the name, which may itself hold spaces and brackets.
const PARENT = 1
const USER_TIME = 11
const SYSTEM_TIME = 12

const LOOK_MS = 200
/** Two ticks of all processes together in this time count as idle. */
const IDLE_MS = 20
const MOST_MS = 20_000

let tickMs = 0

/** Reads the tree below `root`. Empty when there is no such process. */
export function cpuTimes(root: number): CpuTimes {
  tickMs ||= 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  const processes = new Map<number, { parent: number; cpuMs: number }>()
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? readStat(entry) : undefined
    if (stat !== undefined) processes.set(Number(entry), stat)
  }
  const times = new Map<number, number>()
  const visit = (pid: number): void => {
    const found = processes.get(pid)
    if (found === undefined) return
    times.set(pid, found.cpuMs)
    for (const [child, { parent }] of processes) if (parent === pid) visit(child)
  }
  visit(root)
  return times
}

/** Resolves when the tree below `root` is idle. Rejects when that does not happen. */
export async function untilIdle(root: number): Promise<void> {
  const deadline = performance.now() + MOST_MS
  for (let before = sumOf(root); ; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    const now = sumOf(root)
    if (now - before <= IDLE_MS) return
    if (performance.now() > deadline) throw new Error(`process ${root} is busy though no client asks`)
    before = now
  }
}

function sumOf(root: number): number {
  return [...cpuTimes(root).values()].reduce((sum, cpuMs) => sum + cpuMs, 0)
}

function readStat(pid: string): { parent: number; cpuMs: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { parent: Number(fields[PARENT]), cpuMs: (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * tickMs }
  } catch {
    // The process has ended since the folder was read.
    return undefined
  }
}
