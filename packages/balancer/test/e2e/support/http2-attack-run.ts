// Other clients beside an attack over HTTP/2: one kept session to each worker, which gets a request at fixed times.

import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Http2Client } from './http2-client.ts'
import { fixture, type RunningBalancer } from './running-balancer.ts'

export interface AttackOptions {
  /** Those whose memory and CPU time count. */
  readonly pids: readonly number[]
  readonly port: number
  /** `['none']`: the attacker's process runs and sends nothing. */
  readonly attacks: readonly string[]
  /** For each attack. */
  readonly connections: number
  readonly ms: number
  /** Of the attacker. Default 127.0.0.1. */
  readonly address?: string | undefined
  readonly onBegun?: (() => void) | undefined
}

export interface AttackTotals {
  /** Connections that the attacker has opened, those that the server has ended, and frames (or pairs of them) sent. */
  readonly opened: number
  readonly ended: number
  readonly sent: number
  /** Of the connections that the server has ended. */
  readonly bytes: number
  /** Largest resident memory of a worker. */
  readonly memoryMiB: number
  /** CPU time of all workers meanwhile, for other clients too. */
  readonly cpuMs: number
}

/** Resolves when the attack is over. */
export async function runAttack({
  pids,
  port,
  attacks,
  connections,
  ms,
  address = '',
  onBegun = () => {},
}: AttackOptions): Promise<AttackTotals> {
  const child = fork(fixture('http2-attacker.ts'), [
    ...[attacks.join(','), String(port), String(connections), String(ms)],
    ...(address === '' ? [] : [address]),
  ])
  let totals: Omit<AttackTotals, 'memoryMiB' | 'cpuMs'> = { opened: 0, ended: 0, sent: 0, bytes: 0 }
  let isOver = false
  child.on('message', (said) => {
    if (said === 'begun') onBegun()
    else totals = said as AttackTotals
  })
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      isOver = true
      resolve()
    }),
  )
  const cpuBefore = cpuMsOf(pids)
  let memoryMiB = 0
  while (!isOver) {
    memoryMiB = Math.max(memoryMiB, ...pids.map(residentMiB))
    await Promise.race([ended, pause(250)])
  }
  return { ...totals, memoryMiB, cpuMs: cpuMsOf(pids) - cpuBefore }
}

export async function workerPids(balancer: RunningBalancer): Promise<number[]> {
  const { pools } = await balancer.status()
  return pools.flatMap(({ workers }) => workers.map(({ pid }) => pid)).filter((pid) => pid !== undefined)
}

/** One session to each of `workers` workers, by the pid in their answers. */
export async function sessionsToAll(port: number, workers: number): Promise<Http2Client[]> {
  const found = new Map<string, Http2Client>()
  for (let attempt = 0; attempt < 50 && found.size < workers; attempt++) {
    const client = new Http2Client(`http://127.0.0.1:${port}`)
    const pid = String((await client.get('/hello')).headers['x-pid'])
    if (found.has(pid)) client.close()
    else found.set(pid, client)
  }
  return [...found.values()]
}

/** The 99th percentile, over each session, of the time from the scheduled begin of a request to its answer. `done`: ends the run. */
export async function p99Of(
  sessions: readonly Http2Client[],
  everyMs: number,
  done: Promise<unknown>,
): Promise<{ p99Ms: number[]; faults: string[] }> {
  let isOver = false
  void done.then(() => {
    isOver = true
  })
  const faults: string[] = []
  const p99Ms = await Promise.all(
    sessions.map(async (session) => {
      const times: number[] = []
      const open: Promise<void>[] = []
      for (let next = performance.now(); !isOver; next += everyMs) {
        const waitMs = next - performance.now()
        if (waitMs > 0) await pause(waitMs)
        const scheduled = next
        open.push(
          session.get('/hello').then(
            ({ status }) => {
              if (status !== 200) faults.push(`status ${status}`)
              times.push(performance.now() - scheduled)
            },
            (error: Error) => void faults.push(error.message),
          ),
        )
      }
      await Promise.all(open)
      times.sort((one, other) => one - other)
      return Math.round((times[Math.ceil(times.length * 0.99) - 1] ?? 0) * 10) / 10
    }),
  )
  return { p99Ms, faults }
}

export function residentMiB(pid: number): number {
  try {
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)
  } catch {
    return 0
  }
}

const TICK_MS = 10

function cpuMsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = statOf(pid)
      .replace(/^.*\) /, '')
      .split(' ')
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS
  }, 0)
}

/** Empty: the process has ended. */
function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return ''
  }
}
