// One worker as its pool sees it: a seat, a process behind it, the channel to it, and its row of the load board. A policy sees it as a candidate.

import { LoadRow, NativeChannel } from '@switchyard/handoff'
import type { Candidate } from '@switchyard/routing'
import type { Seat } from '../events.ts'
import type { SpawnedProcess } from '../supervisor/spawn.ts'

export type WorkerState = 'starting' | 'ready' | 'draining' | 'gone'

let lastId = 0

export class PoolWorker implements Candidate {
  /** Of this process; a seat has many in its time. */
  readonly id = ++lastId
  readonly pool: string
  readonly slot: number
  readonly generation: number
  readonly weight = 1
  readonly channel = new NativeChannel()
  readonly load = new LoadRow(this.channel.row)
  state: WorkerState = 'starting'
  everReady = false
  drained = false
  sinceMs: number
  leavingMs: number | undefined
  process: SpawnedProcess | undefined

  constructor(pool: string, slot: number, generation: number, nowMs: number) {
    this.pool = pool
    this.slot = slot
    this.generation = generation
    this.sinceMs = nowMs
  }

  get seat(): Seat {
    return { pool: this.pool, slot: this.slot, generation: this.generation, pid: this.process?.pid ?? 0 }
  }

  /** Hands a connection over; it leaves with the channel's next flush. False: no room. */
  handOff(fd: number, tag: number): boolean {
    if (!this.channel.offer(fd, tag)) return false
    this.load.handedOff++
    return true
  }
}
