// Checks the control socket: which balancer answers on it, or whether a start could open it.

import { lstatSync, mkdtempSync, rmdirSync, type Stats, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MAX_SOCKET_PATH_BYTES } from '../config/listen-options.ts'
import { folderFault } from '../control/control-socket.ts'
import { nameOfPrimary, type RunningPrimary } from '../control/running-primary.ts'
import { probeSocket } from '../system/probe-socket.ts'
import type { Check } from './check.ts'

export interface ControlCheckOptions {
  /** undefined: the config turns it off. */
  readonly path: string | undefined
  /** The user wrote the path, so a start fails without it. */
  readonly isNamed: boolean
  readonly running: RunningPrimary | undefined
  /** The user of this process. */
  readonly user?: number | undefined
}

const NAME = 'control socket'
const PROBE_TIMEOUT_MS = 1_000
const OFF = 'Or run without one: --control off.'

export async function checkControl({ path, isNamed, running, user = process.getuid?.() }: ControlCheckOptions): Promise<Check> {
  if (running !== undefined) return { name: NAME, state: 'ok', found: `${nameOfPrimary(running)} answers on ${running.path}` }
  if (path === undefined) return { name: NAME, state: 'ok', found: 'off: commands such as reload and status do not reach this balancer' }
  const bad = (found: string, advice: string): Check => {
    const effect = isNamed ? 'the balancer does not start' : "the balancer would run without one, and 'balancer reload' could not reach it"
    return { name: NAME, state: isNamed ? 'fault' : 'warning', found: `${found}; ${effect}`, advice: `${advice} ${OFF}` }
  }
  const bytes = Buffer.byteLength(path)
  if (bytes > MAX_SOCKET_PATH_BYTES)
    return bad(
      `its path has ${bytes} bytes, and the system allows ${MAX_SOCKET_PATH_BYTES}: ${path}`,
      'Name a shorter path with --control.',
    )
  try {
    const folder = dirname(path)
    const fault = folderFault(folder, user)
    if (fault?.includes('another user'))
      return bad(fault, `Run the balancer and its commands as the user that owns ${folder}, or name another path with --control.`)
    if (fault !== undefined)
      return bad(fault, `Run 'chmod 700 ${folder}' if the folder is yours, or name a path in a private folder with --control.`)
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats === undefined) {
      makeAndRemove(existingFolder(folder))
      return { name: NAME, state: 'ok', found: `no balancer runs here; a start makes ${path}` }
    }
    return await checkExisting(path, stats, user, bad)
  } catch (error) {
    return bad(
      `the control socket ${path} can't be opened: ${(error as Error).message}`,
      'Name a path that this user may write to with --control.',
    )
  }
}

async function checkExisting(
  path: string,
  stats: Stats,
  user: number | undefined,
  bad: (found: string, advice: string) => Check,
): Promise<Check> {
  if (!stats.isSocket()) return bad(`${path} is not a socket`, 'Remove the file if it is not needed, or name another path with --control.')
  const answer = await probe(path)
  if (stats.uid !== user || answer === 'denied')
    return bad(
      `the control socket ${path} belongs to another user (uid ${stats.uid})`,
      'Run the command as that user, or name another path with --control.',
    )
  if (answer === 'refused')
    return {
      name: NAME,
      state: 'warning',
      found: `${path} is left over from a balancer that was killed`,
      advice: 'Start the balancer again: it replaces the socket.',
    }
  return bad(`a process that is no balancer, or hangs, listens on ${path}`, 'Stop that process, or name another path with --control.')
}

/** The folder, or the one in which a start makes it. */
function existingFolder(folder: string): string {
  return statSync(folder, { throwIfNoEntry: false }) === undefined ? dirname(folder) : folder
}

/** Throws the system's error if nothing can be made in the folder. */
function makeAndRemove(folder: string): void {
  rmdirSync(mkdtempSync(join(folder, '.doctor-')))
}

async function probe(path: string): Promise<'listens' | 'refused' | 'denied'> {
  const outcome = await probeSocket(path, PROBE_TIMEOUT_MS)
  if (outcome === 'EACCES' || outcome === 'EPERM') return 'denied'
  return outcome === 'ECONNREFUSED' || outcome === 'ENOENT' ? 'refused' : 'listens'
}
