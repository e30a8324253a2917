// Passes the start data to a worker over a pipe. The environment would leak: an attacker who makes an app read files can read `/proc/self/environ`, and
// one variable holds at most 128 KiB. So the environment only names the pipe, and the pipe can be read once.

import { closeSync, readFileSync } from 'node:fs'
import type { Writable } from 'node:stream'
import type { WorkerStart } from './protocol.ts'

/** Names the descriptor of the pipe and the process that made it: `6:1234`. */
const START_VARIABLE = 'SWITCHYARD_WORKER'

/** Raised when a runtime of another version would misread the start data or the messages of a primary. */
const PROTOCOL = 1

/** The variable for a worker of this process. `fd`: the worker's descriptor for the reading end of the pipe. */
export function startVariable(fd: number): Readonly<Record<string, string>> {
  return { [START_VARIABLE]: `${fd}:${process.pid}` }
}

/** Writes the start data to a running worker. Without a pipe there is no worker either: the system could start neither. */
export function sendStart(pipe: Writable | null | undefined, start: WorkerStart): void {
  // A worker that exits at once does not read the pipe. Its exit is reported elsewhere.
  pipe?.on('error', () => {})
  pipe?.end(JSON.stringify({ protocol: PROTOCOL, start }))
}

/**
 * Reads the start data, once; undefined if this process is no worker. Removes the variable, so that a child of the app does not take itself for a
 * worker. Throws if the primary has another protocol version, or has exited meanwhile.
 */
export function readStart(env: NodeJS.ProcessEnv): WorkerStart | undefined {
  const [, fd, primary] = /^(\d{1,6}):(\d{1,10})$/.exec(env[START_VARIABLE] ?? '') ?? []
  delete env[START_VARIABLE]
  // A child process of an earlier preload may have inherited the variable, but has another parent.
  if (fd === undefined || Number(primary) !== process.ppid || process.send === undefined) return undefined
  const text = readFileSync(Number(fd), 'utf8')
  closeSync(Number(fd))
  if (text === '') throw new Error('the primary exited before it sent the start data of this worker')
  const { protocol, start } = JSON.parse(text) as { protocol: number; start: WorkerStart }
  if (protocol !== PROTOCOL) {
    throw new Error(
      `the primary runs another version of Switchyard than the one installed now (protocol ${protocol}, not ${PROTOCOL}): start a primary of this version with 'balancer upgrade' or a restart`,
    )
  }
  return start
}
