// Integrates a running balancer with its system: notifies the service manager, and reaps orphaned processes as the first process of a
// container.

import { hasNative } from '@switchyard/handoff'
import type { BalancerEmitter } from '../../events.ts'
import type { ExtraSockets } from '../../listeners/extra-sockets.ts'
import type { BalancerStatus } from '../../status.ts'
import { OrphanProcesses } from '../../system/orphan-processes.ts'
import { type Assignment, monotonicUs, ServiceManager } from '../../system/service-manager.ts'
import type { OldPrimaryLink } from '../../upgrade/old-primary-link.ts'

/** A changed status line is sent after this time, at most once in it. */
const STATUS_MS = 1000
/** Added to the drain timeout: the service manager must not kill the primary earlier. */
const STOP_SPARE_MS = 10_000
/** Operations that count as a reload for the service manager. */
const RELOADS = ['reload', 'rollback']
/** Events that change the status line. */
const CHANGES = ['workerReady', 'workerExited', 'acceptPaused', 'acceptResumed', 'scaled'] as const

export interface SystemIntegrationOptions {
  readonly events: BalancerEmitter
  readonly extraSockets: ExtraSockets
  readonly status: () => BalancerStatus
  /** Left undefined unless this primary replaces an old one. */
  readonly oldPrimaryLink: OldPrimaryLink | undefined
  /** The longest time that workers may take to drain and exit. */
  readonly stopTimeoutMs: number
  readonly env: NodeJS.ProcessEnv
  readonly pid: number
  readonly warn: (message: string) => void
}

export class SystemIntegration {
  private readonly options: SystemIntegrationOptions
  private readonly manager: ServiceManager | undefined
  private readonly orphanProcesses: OrphanProcesses | undefined
  private watchdog: NodeJS.Timeout | undefined
  private statusTimer: NodeJS.Timeout | undefined
  /** Only the main process notifies the service manager. A new primary becomes it when the old one says so. */
  private isMain = false

  /** Removes the service manager's variables from `env`. */
  constructor(options: SystemIntegrationOptions) {
    this.options = options
    const { env, pid, extraSockets, warn } = options
    if (pid === 1 && hasNative()) this.orphanProcesses = new OrphanProcesses()
    else if (pid === 1)
      warn('without the native module orphaned processes are not reaped: start the container with an init (docker run --init)')
    this.manager = ServiceManager.fromEnvironment(env, pid, once(warn))
    if (this.manager === undefined) return
    Object.assign(extraSockets.env, this.manager.env)
    this.notify(this.manager)
  }

  end(): void {
    this.orphanProcesses?.end()
    this.stopNotifying()
  }

  private notify(manager: ServiceManager): void {
    const { events, oldPrimaryLink, stopTimeoutMs } = this.options
    const send = (...assignments: Assignment[]): void => {
      if (this.isMain) manager.send(...assignments)
    }
    this.isMain = oldPrimaryLink === undefined
    events.once('ready', async () => {
      await oldPrimaryLink?.isMainProcess
      this.isMain = true
      send('READY=1', this.status())
      if (manager.watchdogMs !== undefined) this.watchdog = setInterval(() => send('WATCHDOG=1'), manager.watchdogMs / 2).unref()
    })
    events.on('operationStarted', ({ name }) => {
      if (RELOADS.includes(name)) send('RELOADING=1', `MONOTONIC_USEC=${monotonicUs()}`, `STATUS=${name}`)
    })
    events.on('operationEnded', ({ name }) => {
      if (RELOADS.includes(name)) send('READY=1', this.status())
    })
    events.on('handedOver', ({ pid }) => {
      send(`MAINPID=${pid}`)
      this.stopNotifying()
    })
    events.on('draining', ({ reason }) => {
      send('STOPPING=1', `STATUS=stopping: ${reason}`, `EXTEND_TIMEOUT_USEC=${(stopTimeoutMs + STOP_SPARE_MS) * 1000}`)
      this.stopNotifying()
    })
    for (const change of CHANGES) {
      events.on(change, () => {
        this.statusTimer ??= setTimeout(() => {
          this.statusTimer = undefined
          send(this.status())
        }, STATUS_MS).unref()
      })
    }
  }

  private stopNotifying(): void {
    this.isMain = false
    clearInterval(this.watchdog)
    clearTimeout(this.statusTimer)
  }

  /** One line for `systemctl status`. */
  private status(): Assignment {
    const { addresses, accepting, pools } = this.options.status()
    const running = pools.filter(({ job }) => job === null)
    const workers = running.map(({ name, ready, desired }) => `${name} ${ready} of ${desired} workers`).join(', ')
    return `STATUS=${accepting ? ['serving', ...(addresses.length === 0 ? [] : ['on', ...addresses])].join(' ') : 'starting'}; ${workers}`
  }
}

/** Passes on the first call only. */
function once(warn: (message: string) => void): (message: string) => void {
  let isCalled = false
  return (message) => {
    if (!isCalled) warn(message)
    isCalled = true
  }
}
