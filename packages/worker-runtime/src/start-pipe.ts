// How a worker gets its start data: over a pipe of its own. Whoever can make an app read a file reads `/proc/self/environ` too, and one variable of the environment
// holds 128 KiB at most. So the environment only names the pipe, and what is in the pipe can be read once.

import { closeSync, readFileSync } from 'node:fs'
import type { Writable } from 'node:stream'
import type { WorkerStart } from './protocol.ts'

/** Names the descriptor of the pipe, and the process that has made it: `6:1234`. */
const START_VARIABLE = 'SWITCHYARD_WORKER'

/** Raised when a runtime of another version would misunderstand the start data or the messages of a primary. */
const PROTOCOL = 1

/** The variable for a worker of this process that has the reading end of its pipe as `fd`. */
export function startVariable(fd: number): Readonly<Record<string, string>> {
  return { [START_VARIABLE]: `${fd}:${process.pid}` }
}

/** Writes the start data to a worker that has begun to run. A pipe that the system could not make belongs to a worker that it could not make either. */
export function sendStart(pipe: Writable | null | undefined, start: WorkerStart): void {
  // A worker that ends at once reads nothing; its exit says so.
  pipe?.on('error', () => {})
  pipe?.end(JSON.stringify({ protocol: PROTOCOL, start }))
}

/**
 * Reads the start data, once; undefined: this process is no worker. The variable is removed, so that no child of the app takes itself for a worker. Throws when
 * the primary is of another version, or has ended meanwhile.
 */
export function readStart(env: NodeJS.ProcessEnv): WorkerStart | undefined {
  const [, fd, primary] = /^(\d{1,6}):(\d{1,10})$/.exec(env[START_VARIABLE] ?? '') ?? []
  delete env[START_VARIABLE]
  // A process that was started before this ran, by another preload, may have inherited the variable, but not its parent.
  if (fd === undefined || Number(primary) !== process.ppid || process.send === undefined) return undefined
  const text = readFileSync(Number(fd), 'utf8')
  closeSync(Number(fd))
  if (text === '') throw new Error('the primary ended before it had said what this worker is to do')
  const { protocol, start } = JSON.parse(text) as { protocol: number; start: WorkerStart }
  if (protocol !== PROTOCOL) {
    throw new Error(
      `the primary runs another version of Switchyard than the one that is installed now (protocol ${protocol}, not ${PROTOCOL}): 'balancer upgrade', or a restart, starts a primary of this version`,
    )
  }
  return start
}
