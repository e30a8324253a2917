// A container ends with its first process, or with the one child of an init that was put in front of it.

import { readFileSync } from 'node:fs'

/** Why such a primary can't be replaced. */
export const PRIMARY_OF_CONTAINER = 'the container would end with this process: start a new container instead'

/** Programs that end as soon as the one process that they have started does. */
const INITS = new Set(['tini', 'docker-init', 'dumb-init', 'catatonit', 'podman-init'])

/** Is this process the one child of such a program? Such a one is the first process of its container. */
export function isChildOfInit(parentPid: number = process.ppid): boolean {
  if (parentPid !== 1) return false
  try {
    return INITS.has(readFileSync('/proc/1/comm', 'utf8').trim())
  } catch {
    return false
  }
}
