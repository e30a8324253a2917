// Opens the control socket of a balancer that starts, and ties it to those who can do what is asked.

import { dirname } from 'node:path'
import { defaultControlPath } from '../../control/control-path.ts'
import { type Controlled, type ControlServer, openControl } from '../../control/control-server.ts'
import { BalancerError } from '../../errors.ts'
import type { Settings } from '../../settings.ts'
import { ownVersion } from '../commands/version.ts'
import type { CliIo, RunningBalancer } from '../io.ts'
import type { Log } from '../log.ts'
import { ProgressTeller } from '../progress.ts'
import type { Reloader } from './reloader.ts'
import { nameOfRunning } from './running-balancers.ts'
import type { Shutdown } from './shutdown.ts'

export interface ControlParts {
  settings: Settings
  balancer: RunningBalancer
  reloader: Reloader
  watch: Shutdown
  log: Log
  io: Pick<CliIo, 'cwd' | 'env'>
  /** Replace the socket of a predecessor. */
  takeOver: boolean
}

/** undefined: there is none. Throws ERR_CONTROL when the path was asked for and can't be had; the default one is done without, with a warning. */
export async function startControl(parts: ControlParts): Promise<ControlServer | undefined> {
  const { settings, io, log, balancer, takeOver } = parts
  const { control, file, name } = settings
  if (control === false) return undefined
  const path = control ?? defaultControlPath({ file, folder: file === undefined ? io.cwd : dirname(file) }, io.env)
  const teller = new ProgressTeller(balancer)
  try {
    return await openControl({
      path,
      takeOver,
      name,
      version: ownVersion(),
      controlled: controlledOf(parts),
      watchProgress: (pool, say) => teller.watch(pool, say),
      logs: log.ring,
    })
  } catch (error) {
    // A successor that serves already does not end for it.
    const isNeeded = control !== undefined && !takeOver
    if (isNeeded || !(error instanceof BalancerError)) throw error
    const other = await nameOfRunning(path)
    const why =
      other === undefined ? error.message : `${other} of the same ${file === undefined ? 'folder' : 'config'} runs already and has ${path}`
    log.logger.warn(
      `this balancer has no control socket, so 'balancer status' and 'balancer reload' do not reach it: ${why}. Give it one of its own with --control, or 'off'`,
    )
    return undefined
  }
}

function controlledOf({ balancer, reloader, watch }: ControlParts): Controlled {
  return {
    status: () => balancer.status(),
    reload: (pool) => reloader.reload(pool),
    rollback: () => reloader.rollback(),
    scale: async (pool, change) => balancer.scale(pool, change),
    drainSlot: async (pool, slot) => balancer.drainSlot(pool, slot),
    restartSlot: async (pool, slot) => balancer.restartSlot(pool, slot),
    upgrade: async () => balancer.upgrade(),
    async stop(now) {
      if (now) watch.stopNow("'balancer stop --now'")
      else watch.stop("'balancer stop'")
      await watch.stopped
      return { message: 'the balancer has stopped' }
    },
  }
}
