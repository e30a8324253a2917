// Where a detached balancer writes its log, unless `--log-file` names another place.

import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { nameOfPlace, type Place } from '../../control/control-path.ts'

/** The default log file of a balancer: in the user's state folder, named like its control socket. */
export function defaultLogFile(place: Place, env: NodeJS.ProcessEnv): string {
  const { XDG_STATE_HOME: state } = env
  const base = state !== undefined && isAbsolute(state) ? state : join(env.HOME || homedir(), '.local', 'state')
  return join(base, 'switchyard', `${nameOfPlace(place)}.log`)
}
