// Opens the control socket of a `balancer start` and connects it to the balancer's operations, progress and log.

import { dirname } from 'node:path'
import type { AdviceReport } from '../../advice.ts'
import { defaultControlPath } from '../../control/control-path.ts'
import type { DashboardLink, LogFilesReport } from '../../control/control-protocol.ts'
import { type ControlServer, openControl } from '../../control/control-server.ts'
import { BalancerError } from '../../errors.ts'
import type { Operations } from '../../operations.ts'
import type { Settings } from '../../settings.ts'
import { type CliIo, ownVersion, type RunningBalancer } from '../io.ts'
import type { Log } from '../log.ts'
import { ProgressReporter } from './progress.ts'
import { nameOfRunning } from './running-balancers.ts'

export interface StartControlOptions {
  settings: Settings
  balancer: Pick<RunningBalancer, 'events' | 'status' | 'insight'>
  operations: Operations
  log: Log
  /** Where lines older than those of the log's ring are. */
  logFiles: LogFilesReport
  io: Pick<CliIo, 'cwd' | 'env'>
  /** A link that opens the dashboard with the right to act. */
  createLink: () => Promise<DashboardLink>
  readAdvice: () => Promise<AdviceReport>
  /** Replace the socket of the old primary. */
  takeOver: boolean
  /** The balancer runs in the background: without the socket no command could stop it, so a default path that can't be used is an error too. */
  isDetached: boolean
}

/**
 * undefined: there is no control socket. Throws ERR_CONTROL if the user named a path that can't be used.
 * If the default path can't be used, the balancer logs a warning and runs without a control socket, unless it is detached.
 */
export async function startControl(options: StartControlOptions): Promise<ControlServer | undefined> {
  const { settings, io, log, logFiles, balancer, operations, createLink, readAdvice, takeOver, isDetached } = options
  const { control, file, name } = settings
  if (control === false) return undefined
  // The runtime folder of a login session is removed at its end, and a detached balancer runs on.
  const env = isDetached ? { ...io.env, XDG_RUNTIME_DIR: undefined } : io.env
  const path = control ?? defaultControlPath({ file, folder: file === undefined ? io.cwd : dirname(file) }, env)
  const reporter = new ProgressReporter(balancer)
  try {
    return await openControl({
      path,
      takeOver,
      name,
      version: ownVersion(),
      operations,
      watchProgress: (pool, onProgress) => reporter.watch(pool, onProgress),
      logs: log.ring,
      insight: balancer.insight,
      createDashboardLink: createLink,
      readAdvice,
      findLogFiles: async () => {
        await log.flush()
        return logFiles
      },
    })
  } catch (error) {
    // A new primary that serves already must not exit for this.
    const isNeeded = (control !== undefined || isDetached) && !takeOver
    if (isNeeded || !(error instanceof BalancerError)) throw error
    const other = await nameOfRunning(path)
    const why =
      other === undefined ? error.message : `${other} of the same ${file === undefined ? 'folder' : 'config'} runs already and uses ${path}`
    log.logger.warn(
      `this balancer has no control socket, so 'balancer status' and 'balancer reload' can't reach it: ${why}. Choose another path with --control, or turn it off with --control off`,
    )
    return undefined
  }
}
