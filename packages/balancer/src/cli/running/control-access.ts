// Opens the control socket of a `balancer start` and connects it to the balancer's operations, progress and log.

import { dirname } from 'node:path'
import { defaultControlPath } from '../../control/control-path.ts'
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
  balancer: Pick<RunningBalancer, 'events' | 'status'>
  operations: Operations
  log: Log
  io: Pick<CliIo, 'cwd' | 'env'>
  /** Replace the socket of the old primary. */
  takeOver: boolean
}

/**
 * undefined: there is no control socket. Throws ERR_CONTROL if the user named a path that can't be used.
 * If the default path can't be used, the balancer logs a warning and runs without a control socket.
 */
export async function startControl(options: StartControlOptions): Promise<ControlServer | undefined> {
  const { settings, io, log, balancer, operations, takeOver } = options
  const { control, file, name } = settings
  if (control === false) return undefined
  const path = control ?? defaultControlPath({ file, folder: file === undefined ? io.cwd : dirname(file) }, io.env)
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
    })
  } catch (error) {
    // A new primary that serves already must not exit for this.
    const isNeeded = control !== undefined && !takeOver
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
