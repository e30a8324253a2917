// Starts workers. A start can fail for many reasons (no descriptors, no memory, no folder, arguments too long), so its outcome is a value.
// A failed start leaves nothing behind.

import type { Transport } from '@switchyard/handoff'
import type { ListenAnswer, ListenRequest, WorkerStart } from '@switchyard/worker-runtime'
import { type ReleaseFiles, releaseFiles } from '../../system/release-files.ts'
import { setsUpstreamTickets } from '../../upstream-settings.ts'
import type { PoolVersion } from '../desired-pool.ts'
import type { PlannedSlot } from '../plan-input.ts'
import { PoolWorker, type WorkerReturns } from '../pool-worker.ts'
import { type SpawnedProcess, type SpawnOptions, spawnWorker } from './spawn.ts'

/** A worker, or why there is none. */
export type StartOutcome =
  | { readonly worker: PoolWorker; readonly failure?: undefined }
  | { readonly worker?: undefined; readonly failure: unknown }

/** The part of the start data that is made for each worker. `listen`: the addresses of its config. May throw. */
export type StartData = (
  worker: PoolWorker,
  listen: PoolVersion['shared']['listen'],
) => Pick<WorkerStart, 'privateSocket' | 'listeners' | 'tls' | 'upstream'>

export interface WorkerStartsOptions {
  readonly transport: Transport
  readonly returns: WorkerReturns
  readonly startData: StartData
  /** Removes what `startData` has made. */
  readonly forget: (worker: PoolWorker) => void
  /** A server of a worker's app starts to listen, or closes. Never rejects. */
  readonly onListen: (worker: PoolWorker, request: ListenRequest) => Promise<ListenAnswer>
}

/** Which slot gets a worker, and what it runs. */
export interface WorkerRequest extends PlannedSlot {
  readonly generation: number
  readonly version: PoolVersion
  readonly nowMs: number
}

/** Makes the callbacks for the events of a worker's process. */
export type ProcessListener = (worker: PoolWorker) => Pick<SpawnOptions, 'onMessage' | 'onLine' | 'onAccess' | 'onExit' | 'onFailed'>

export class WorkerStarts {
  private readonly options: WorkerStartsOptions

  constructor(options: WorkerStartsOptions) {
    this.options = options
  }

  /** Never throws. */
  start(request: WorkerRequest, listener: ProcessListener): StartOutcome {
    let worker: PoolWorker | undefined
    try {
      worker = this.open(request)
      worker.process = this.spawn(worker, request, listener(worker))
      return { worker }
    } catch (failure) {
      worker?.channel.close()
      if (worker !== undefined) this.options.forget(worker)
      return { failure }
    }
  }

  private open({ pool, slot, generation, version, nowMs }: WorkerRequest): PoolWorker {
    const { transport, returns } = this.options
    const worker = new PoolWorker(transport, pool, slot, generation, nowMs, returns, version.settings)
    worker.routeNames = version.shared.routes.map(({ name }) => name)
    return worker
  }

  private spawn(worker: PoolWorker, { version }: WorkerRequest, listener: ReturnType<ProcessListener>): SpawnedProcess {
    const { settings, shared } = version
    const files = releaseFiles(settings.app)
    const { pool, slot, generation, link } = worker
    return spawnWorker({
      settings,
      files,
      link,
      withheld: Object.keys(shared.configVariables),
      start: {
        pool,
        slot,
        generation,
        ...poolStart(version),
        ownPolicies: ownPoliciesOf(version, files),
        ...this.options.startData(worker, shared.listen),
      },
      onListen: (request) => this.options.onListen(worker, request),
      ...listener,
    })
  }
}

/** The part of the start data that is the same for all workers of a pool. */
function poolStart({ settings, shared }: PoolVersion) {
  const { ticketKeys, routes, trustedProxies, forwardToken, forwardTimeoutMs, healthPath, sessions, explain, accessLog, observes } = shared
  const { name, rest, weights, upstream, drainReturnMs, stopSignal, maxConnectionAgeMs, listens, shutdownMessage, schedule } = settings
  const readsTickets = routes.some(({ pool, ticket, policy }) => pool === name && (ticket !== undefined || policy === 'own'))
  return {
    ...{ rest, weights, drainReturnMs, stopSignal, routes, trustedProxies, forwardToken, forwardTimeoutMs, healthPath, sessions, explain },
    // Other workers get no requests.
    accessLog: listens ? accessLog : undefined,
    ...{ listens, shutdownMessage, observes, isOneOff: schedule !== undefined },
    ticketKeys: readsTickets || setsUpstreamTickets(upstream) ? ticketKeys : [],
    maxConnectionAgeMs: maxConnectionAgeMs === Number.POSITIVE_INFINITY ? 0 : maxConnectionAgeMs,
  }
}

/** Where the worker loads policies from that are the user's own code. Undefined if there are none. */
function ownPoliciesOf({ settings, shared }: PoolVersion, files: ReleaseFiles): WorkerStart['ownPolicies'] {
  const { configFile: file, routes, configVariables: variables } = shared
  const isWanted = routes.some(({ policy }) => policy === 'own') || settings.upstream?.policies.includes('own') === true
  if (file === undefined || !settings.listens || !isWanted) return undefined
  return { module: files.own('config/own-policies'), file, variables }
}
