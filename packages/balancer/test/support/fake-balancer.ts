// A fake balancer without workers and sockets: a test sets its status and settles its start and stop.

import { EventEmitter } from 'node:events'
import { responseBoundsMs } from '@switchyard/handoff'
import { idleLoad } from '@switchyard/routing'
import type { CliIo, RunningBalancer, Signals, TextOutput } from '../../src/cli/io.ts'
import { BalancerEmitter } from '../../src/events.ts'
import { ExtraSockets } from '../../src/listeners/extra-sockets.ts'
import { InheritedSockets } from '../../src/listeners/inherited-sockets.ts'
import type { OperationResult, ScaleChange } from '../../src/operations.ts'
import type { Settings } from '../../src/settings.ts'
import type { BalancerStatus, LogStatuses, LoopReading, WorkerStatus } from '../../src/status.ts'
import { Startup } from '../../src/upgrade/startup.ts'
import type { SlotName } from '../../src/worker-name.ts'

/** The status fields of a pool in which nothing changes. */
export const calmPool = {
  generation: 0,
  reloading: false,
  held: [],
  broken: [],
  outageMs: null,
  notStarted: [],
  finished: [],
  listens: true,
  job: null,
  restartsAtMs: null,
  servers: null,
  queue: { length: 0, waits: { counts: responseBoundsMs.map(() => 0).concat(0), sumMs: 0 } },
}

export function workerOf(slot: number, changes: Partial<WorkerStatus> = {}): WorkerStatus {
  return {
    slot,
    generation: 0,
    pid: 1000 + slot,
    state: 'ready',
    restarts: 0,
    first: false,
    retiring: null,
    ejected: false,
    inStateMs: 0,
    drainLeftMs: null,
    silentMs: 0,
    load: idleLoad,
    handOffs: 0,
    begun: 0,
    failed: 0,
    details: null,
    sessions: null,
    observed: null,
    ...changes,
  }
}

/** The status of a healthy balancer, with changes. */
export function statusOf(changes: Partial<BalancerStatus> = {}): BalancerStatus {
  return {
    addresses: ['127.0.0.1:3000'],
    channel: 'native',
    accepting: true,
    live: true,
    connections: {
      accepted: 0,
      givenBack: 0,
      handedOff: 0,
      refused: {
        'head-too-large': 0,
        'head-timeout': 0,
        'not-http': 0,
        'proxy-header-missing': 0,
        'proxy-header-invalid': 0,
        'proxy-header-untrusted': 0,
        'ambiguous-head': 0,
        'too-many-unrouted': 0,
        'too-many-unrouted-per-address': 0,
        'client-refused': 0,
        'no-worker': 0,
        'queue-full': 0,
        'queue-timeout': 0,
      },
      answered: 0,
      closed: 0,
      waiting: { head: 0, resting: 0, queue: 0, offered: 0 },
    },
    handOffs: { takenBack: 0 },
    choices: [],
    sticky: [],
    moves: { givenBack: [], forwarded: [] },
    routes: [],
    exits: [],
    handshakes: [],
    operations: [],
    visitors: { kept: 0, learned: 0, moved: 0, evicted: 0, expired: 0 },
    sessions: { kept: 0, bytes: 0, tombstones: 0, evicted: 0, expired: 0, tombstonesDropped: 0 },
    log: null,
    accessLog: null,
    pools: [{ ...calmPool, name: 'web', ready: 2, desired: 2, boardFaults: 0, workers: [workerOf(0), workerOf(1)] }],
    ...changes,
  }
}

export interface Deferred<T> {
  promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

export function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, ...(settle as unknown as Omit<Deferred<T>, 'promise'>) }
}

export type FakeOperation = 'reload' | 'rollback' | 'scale' | 'drainSlot' | 'restartSlot' | 'upgrade'

/** Records the calls. A test settles `started` and `stopped`, and sets the outcomes of operations. */
export class FakeBalancer implements RunningBalancer {
  readonly events = new BalancerEmitter()
  readonly extraSockets = new ExtraSockets()
  readLogStatus: () => LogStatuses = () => ({ log: null, accessLog: null })
  readonly calls: string[] = []
  readonly settings: Settings
  /** The settings of each reload. */
  readonly reloads: Settings[] = []
  /** Results of operations. Default: they succeed at once. */
  outcomes: { [Name in FakeOperation]?: () => Promise<OperationResult> } = {}
  /** Changes to the status. */
  changes: Partial<BalancerStatus> = {}
  started = deferred<void>()
  stopped = deferred<void>()

  constructor(settings: Settings) {
    this.settings = settings
  }

  loops(): LoopReading[] {
    return this.status().pools.flatMap(({ name, workers }) =>
      workers.map(({ slot, pid, state, silentMs, load }) => ({ pool: name, slot, pid, state, silentMs, load })),
    )
  }

  start(): Promise<void> {
    this.calls.push('start')
    return this.started.promise
  }

  stop(reason: string): Promise<void> {
    this.calls.push(`stop ${reason}`)
    return this.stopped.promise
  }

  stopNow(): void {
    this.calls.push('stopNow')
    this.stopped.resolve()
  }

  status(): BalancerStatus {
    return statusOf(this.changes)
  }

  reload(settings: Settings | undefined, pool?: string): Promise<OperationResult> {
    this.reloads.push(settings ?? this.settings)
    return this.run('reload', pool ?? 'all')
  }

  rollback(): Promise<OperationResult> {
    return this.run('rollback')
  }

  scale(pool: string, change: ScaleChange): Promise<OperationResult> {
    return this.run('scale', pool, JSON.stringify(change))
  }

  drainSlot({ pool, slot }: SlotName): Promise<OperationResult> {
    return this.run('drainSlot', `${pool}/${slot}`)
  }

  restartSlot({ pool, slot }: SlotName): Promise<OperationResult> {
    return this.run('restartSlot', `${pool}/${slot}`)
  }

  upgrade(): Promise<OperationResult> {
    return this.run('upgrade')
  }

  private run(name: FakeOperation, ...details: string[]): Promise<OperationResult> {
    this.calls.push([name, ...details].join(' '))
    return this.outcomes[name]?.() ?? Promise.resolve({ message: `${name} is done` })
  }
}

export class FakeOutput implements TextOutput {
  text = ''
  isTTY = false

  write(text: string): void {
    this.text += text
  }
}

export interface FakeIo extends CliIo {
  stdout: FakeOutput
  stderr: FakeOutput
  signals: Signals & EventEmitter
  hasLostTerminal: () => boolean
  isAlive: (pid: number) => boolean
  /** Resolves with the balancer that the command creates. */
  balancer: Promise<FakeBalancer>
}

export function fakeIo(cwd: string, env: NodeJS.ProcessEnv = {}): FakeIo {
  const created = deferred<FakeBalancer>()
  return {
    stdout: new FakeOutput(),
    stderr: new FakeOutput(),
    // Puts the control socket into the folder of the test.
    env: { TMPDIR: cwd, ...env },
    cwd,
    signals: new EventEmitter(),
    isNewPrimary: false,
    hasLostTerminal: () => false,
    exitWhenOutputCloses() {},
    ignoreClosedOutput() {},
    isAlive: () => false,
    balancer: created.promise,
    readStartup: async () => new Startup(new InheritedSockets([])),
    async createBalancer(settings) {
      const balancer = new FakeBalancer(settings)
      created.resolve(balancer)
      return balancer
    },
  }
}
