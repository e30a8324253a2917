// Keeps the workers as they should be: asks the plan, carries its actions out, and asks again when something happens or time is up.

import type { Transport } from '@switchyard/handoff'
import type { ServerAddress, ToPrimary, WorkerStart } from '@switchyard/worker-runtime'
import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { Pool } from '../pool/pool.ts'
import { PoolWorker, type WorkerReturns } from '../pool/pool-worker.ts'
import type { Settings } from '../settings.ts'
import { type Action, type PlannedSeat, plan, restartDelayMs, type SeatHistory } from './plan.ts'
import { spawnWorker } from './spawn.ts'

/** A worker that was ready for this long was well: its exit is no failure in a row. */
const WELL_MS = 5000
const LAST_LINES = 50

export interface SupervisorOptions {
  readonly settings: Settings
  readonly transport: Transport
  readonly pools: ReadonlyMap<string, Pool>
  readonly events: BalancerEmitter
  /** What every worker is told, besides its seat. */
  readonly startData: (worker: PoolWorker) => Omit<WorkerStart, 'ends' | 'pool' | 'slot' | 'generation' | 'rest' | 'weights'>
  /** Of a pool's workers: 0, or where another primary left off. */
  readonly generationOf: (pool: string) => number
  readonly returns: WorkerReturns
  readonly onReady: (worker: PoolWorker, address: ServerAddress) => void
  /** The process is gone; its channel has still to be taken back. */
  readonly onGone: (worker: PoolWorker) => void
  readonly onFailed: (error: BalancerError) => void
  /** 0 to 1. */
  readonly chance: () => number
}

export class Supervisor {
  private readonly options: SupervisorOptions
  private readonly seats: PlannedSeat[] = []
  private readonly history = new Map<string, SeatHistory>()
  private readonly restarted = new Map<string, number>()
  private readonly proven = new Set<string>()
  private readonly lastWords = new Map<string, string[]>()
  private timer: NodeJS.Timeout | undefined
  private running = false
  private stopping = false
  private drainTimeoutMs: number
  private onStopped: (() => void) | undefined

  constructor(options: SupervisorOptions) {
    this.options = options
    this.drainTimeoutMs = options.settings.limits.drainTimeoutMs
    for (const { name, workers } of options.settings.pools) {
      for (let slot = 0; slot < workers; slot++) this.seats.push({ pool: name, slot })
    }
  }

  start(): void {
    this.running = true
    this.turn()
  }

  /** Drains every worker; resolves when all processes are gone. */
  async stop(): Promise<void> {
    this.stopping = true
    await new Promise<void>((resolve) => {
      this.onStopped = resolve
      this.turn()
    })
  }

  /** Ends what is left without waiting for it. */
  stopNow(): void {
    this.stopping = true
    this.drainTimeoutMs = 0
    for (const worker of this.workers()) worker.process?.kill('SIGKILL')
    this.turn()
  }

  /** How often the seat was filled again. */
  restarts(pool: string, slot: number): number {
    return this.restarted.get(keyOf({ pool, slot })) ?? 0
  }

  private *workers(): Generator<PoolWorker> {
    for (const pool of this.options.pools.values()) yield* pool.workers
  }

  private turn(): void {
    if (!this.running) return
    const now = Date.now()
    const { limits } = this.options.settings
    const { actions, nextMs } = plan(
      { seats: this.seats, stopping: this.stopping, startTimeoutMs: limits.startTimeoutMs, drainTimeoutMs: this.drainTimeoutMs },
      {
        workers: [...this.workers()].map(planned),
        history: (seat) => this.history.get(keyOf(seat)),
        provenPools: this.proven,
      },
      now,
    )
    for (const action of actions) this.carryOut(action, now)
    clearTimeout(this.timer)
    if (this.stopping && this.workers().next().done === true) {
      this.running = false
      this.onStopped?.()
    } else if (actions.length > 0 || nextMs !== Number.POSITIVE_INFINITY) {
      // An action may have made time alone matter: look again soon.
      this.timer = setTimeout(() => this.turn(), actions.length > 0 ? 20 : nextMs - now)
    }
  }

  private carryOut(action: Action, now: number): void {
    switch (action.do) {
      case 'start':
        return this.startWorker(action.seat, now)
      case 'give-up':
        return this.giveUp(action.pool)
      case 'drain':
        return this.withWorker(action.id, (worker) => this.drain(worker, now))
      case 'leave':
        return this.withWorker(action.id, (worker) => {
          worker.leavingMs = now
          // Until the runtime is loaded there is nobody to hear the message, and nobody to ignore the signal.
          if (worker.state === 'starting') worker.process?.kill('SIGTERM')
          worker.process?.send({ switchyard: 'leave' })
        })
      case 'kill':
        return this.withWorker(action.id, (worker) => {
          this.options.events.emit('workerNoticed', { ...worker.seat, level: 'warn', message: `killed: ${action.why}` })
          this.remember(worker, action.why)
          worker.leavingMs = now
          worker.process?.kill('SIGKILL')
        })
    }
  }

  private withWorker(id: number, then: (worker: PoolWorker) => void): void {
    for (const worker of this.workers()) if (worker.id === id) return then(worker)
  }

  private startWorker(seat: PlannedSeat, now: number): void {
    const pool = this.options.pools.get(seat.pool) as Pool
    const { app, args, execArgv, cwd, env } = pool.settings
    const { events, transport, generationOf, returns } = this.options
    let worker: PoolWorker
    try {
      worker = new PoolWorker(transport, seat.pool, seat.slot, generationOf(seat.pool), now, returns, pool.settings)
    } catch (error) {
      // Out of descriptors: the others serve on, and this seat is filled when there are some again.
      this.postpone(seat, now)
      const message = `could not be started: ${(error as Error).message}`
      events.emit('workerNoticed', { ...seat, generation: 0, pid: 0, level: 'warn', message })
      return
    }
    pool.add(worker)
    if (this.history.has(keyOf(seat))) this.restarted.set(keyOf(seat), this.restarts(seat.pool, seat.slot) + 1)
    worker.process = spawnWorker({
      app,
      args,
      execArgv,
      cwd,
      env,
      link: worker.link,
      start: {
        pool: seat.pool,
        slot: seat.slot,
        generation: worker.generation,
        rest: pool.settings.rest,
        weights: pool.settings.weights,
        ...this.options.startData(worker),
      },
      onMessage: (message) => this.hear(worker, message),
      onLine: (stream, line) => {
        if (stream === 'stderr' && line.trim() !== '') this.remember(worker, line)
        events.emit('workerOutput', { ...worker.seat, stream, line })
      },
      onExit: (code, signal) => this.exited(worker, code, signal),
    })
    events.emit('workerStarted', worker.seat)
  }

  private hear(worker: PoolWorker, message: ToPrimary): void {
    switch (message.switchyard) {
      case 'listening':
        if (worker.state !== 'starting' || this.stopping) return
        worker.state = 'ready'
        worker.everReady = true
        this.proven.add(worker.pool)
        this.lastWords.delete(keyOf(worker))
        this.options.events.emit('workerReady', { ...worker.seat, startMs: Date.now() - worker.sinceMs })
        worker.sinceMs = Date.now()
        this.options.onReady(worker, message.address)
        return this.turn()
      case 'report':
        return worker.load.report(message.load)
      case 'notice':
        return void this.options.events.emit('workerNoticed', { ...worker.seat, level: message.level, message: message.message })
      case 'drained':
        worker.drained = true
        return this.turn()
    }
  }

  /** The worker is told once everything that was offered to it is claimed, so that nothing comes after the drain. */
  private drain(worker: PoolWorker, now: number): void {
    worker.state = 'draining'
    worker.sinceMs = now
    this.options.pools.get(worker.pool)?.refresh()
    const tell = () => {
      if (worker.channel.outstanding > 0 && worker.state === 'draining') setTimeout(tell, 5)
      else worker.process?.send({ switchyard: 'drain' })
    }
    tell()
  }

  private exited(worker: PoolWorker, code: number | null, signal: string | null): void {
    const pool = this.options.pools.get(worker.pool) as Pool
    const now = Date.now()
    const wasWell = worker.state === 'ready' && now - worker.sinceMs >= WELL_MS
    const expected = this.stopping || worker.state === 'draining'
    const delayMs = this.postpone(worker, now, wasWell)
    worker.state = 'gone'
    pool.remove(worker)
    this.options.events.emit('workerExited', {
      ...worker.seat,
      code,
      signal,
      expected,
      everReady: worker.everReady,
      restartInMs: expected ? undefined : delayMs,
    })
    if (!worker.everReady) this.remember(worker, signal === null ? `exit code ${code}` : `killed by ${signal}`)
    this.options.onGone(worker)
    this.turn()
  }

  /** Sets when the seat may be filled again; answers in how many milliseconds. */
  private postpone(seat: PlannedSeat, now: number, wasWell = false): number {
    const { restartDelayMs: first, maxRestartDelayMs: longest } = this.options.settings.limits
    const before = wasWell ? 0 : (this.history.get(keyOf(seat))?.failures ?? 0)
    const delayMs = restartDelayMs(before, this.options.chance(), first, longest)
    this.history.set(keyOf(seat), { failures: wasWell ? 0 : before + 1, startAtMs: now + delayMs })
    const pool = this.options.pools.get(seat.pool) as Pool
    pool.nextStartMs = now + delayMs
    return delayMs
  }

  private giveUp(pool: string): void {
    this.stopping = true
    const seat = this.seats.find((candidate) => candidate.pool === pool) as PlannedSeat
    const lines = this.lastWords.get(keyOf(seat)) ?? []
    // Of an error with its stack the first line says it; then how it ended.
    const said = [lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-2), lines.at(-1)].filter((line) => line !== undefined)
    const { app } = (this.options.pools.get(pool) as Pool).settings
    this.options.onFailed(
      new BalancerError('ERR_APP_FAILED', `no worker of pool '${pool}' came up (${app}): ${said.join('; ') || 'it said nothing'}`, {
        source: 'app',
      }),
    )
  }

  private remember(worker: PoolWorker, line: string): void {
    const lines = this.lastWords.get(keyOf(worker)) ?? []
    lines.push(line.trim().slice(0, 200))
    this.lastWords.set(keyOf(worker), lines.slice(-LAST_LINES))
  }
}

function keyOf(seat: PlannedSeat): string {
  return `${seat.pool}/${seat.slot}`
}

function planned(worker: PoolWorker) {
  const { id, pool, slot, sinceMs, drained, leavingMs } = worker
  return { id, pool, slot, sinceMs, leavingMs, drained, state: worker.state === 'gone' ? ('draining' as const) : worker.state }
}
