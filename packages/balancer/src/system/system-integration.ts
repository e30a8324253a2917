// What a running balancer owes to the system around it: news for a service manager, and the duties of a container's first process.

import { hasNative } from '@switchyard/handoff'
import type { BalancerEmitter } from '../events.ts'
import type { BalancerStatus } from '../status.ts'
import type { ExtraSockets } from '../upgrade/extra-sockets.ts'
import type { OldPrimaryLink } from '../upgrade/old-primary-link.ts'
import { OrphanProcesses } from './orphan-processes.ts'
import { type Assignment, monotonicUs, ServiceManager } from './service-manager.ts'

/** A status that changes all the time is told so often. */
const STATUS_MS = 1000
/** Beyond the drain, for the end of everything. */
const STOP_SPARE_MS = 10_000
/** Operations during which the service manager calls this process reloading. */
const RELOADS = ['reload', 'rollback']
const CHANGES = ['workerReady', 'workerExited', 'acceptPaused', 'acceptResumed', 'scaled'] as const

export interface SystemIntegrationOptions {
  readonly events: BalancerEmitter
  readonly extraSockets: ExtraSockets
  readonly status: () => BalancerStatus
  /** If this primary is a successor. */
  readonly oldPrimaryLink: OldPrimaryLink | undefined
  /** The longest that workers may take to drain and to end. */
  readonly stopTimeoutMs: number
  readonly env: NodeJS.ProcessEnv
  readonly pid: number
  readonly warn: (message: string) => void
}

export class SystemIntegration {
  private readonly options: SystemIntegrationOptions
  private readonly manager: ServiceManager | undefined
  private readonly orphans: OrphanProcesses | undefined
  private watchdog: NodeJS.Timeout | undefined
  private later: NodeJS.Timeout | undefined
  /** Does this process speak to the service manager? A successor does from the moment that the old primary says so. */
  private isMain = false

  /** Begins at once. The variables that a service manager sets are removed from the environment. */
  constructor(options: SystemIntegrationOptions) {
    this.options = options
    const { env, pid, extraSockets, warn } = options
    if (pid === 1 && hasNative()) this.orphans = new OrphanProcesses()
    else if (pid === 1) warn('orphaned processes are not cleared away without the native module: put an init in front (docker run --init)')
    this.manager = ServiceManager.fromEnvironment(env, pid, once(warn))
    if (this.manager === undefined) return
    Object.assign(extraSockets.env, this.manager.env)
    this.follow(this.manager)
  }

  end(): void {
    this.orphans?.end()
    this.stopNotifying()
  }

  private follow(manager: ServiceManager): void {
    const { events, oldPrimaryLink, stopTimeoutMs } = this.options
    const say = (...assignments: Assignment[]): void => {
      if (this.isMain) manager.send(...assignments)
    }
    this.isMain = oldPrimaryLink === undefined
    events.once('ready', async () => {
      await oldPrimaryLink?.isMainProcess
      this.isMain = true
      say('READY=1', this.status())
      if (manager.watchdogMs !== undefined) this.watchdog = setInterval(() => say('WATCHDOG=1'), manager.watchdogMs / 2).unref()
    })
    events.on('operationStarted', ({ name }) => {
      if (RELOADS.includes(name)) say('RELOADING=1', `MONOTONIC_USEC=${monotonicUs()}`, `STATUS=${name}`)
    })
    events.on('operationEnded', ({ name }) => {
      if (RELOADS.includes(name)) say('READY=1', this.status())
    })
    events.on('handedOver', ({ pid }) => {
      say(`MAINPID=${pid}`)
      this.stopNotifying()
    })
    events.on('draining', ({ reason }) => {
      say('STOPPING=1', `STATUS=stopping: ${reason}`, `EXTEND_TIMEOUT_USEC=${(stopTimeoutMs + STOP_SPARE_MS) * 1000}`)
      this.stopNotifying()
    })
    for (const change of CHANGES) {
      events.on(change, () => {
        this.later ??= setTimeout(() => {
          this.later = undefined
          say(this.status())
        }, STATUS_MS).unref()
      })
    }
  }

  private stopNotifying(): void {
    this.isMain = false
    clearInterval(this.watchdog)
    clearTimeout(this.later)
  }

  /** One line for `systemctl status`. */
  private status(): Assignment {
    const { addresses, accepting, pools } = this.options.status()
    const workers = pools.map(({ name, ready, desired }) => `${name} ${ready} of ${desired} workers`).join(', ')
    return `STATUS=${accepting ? `serving on ${addresses.join(' ')}` : 'starting'}; ${workers}`
  }
}

/** Calls it the first time only. */
function once(warn: (message: string) => void): (message: string) => void {
  let isTold = false
  return (message) => {
    if (!isTold) warn(message)
    isTold = true
  }
}
