// `balancer start --detach`: starts the balancer in the background, waits until it is ready, and prints how to reach it.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { findConfig } from '../../config/load-config.ts'
import type { ControlClient } from '../../control/control-client.ts'
import type { ControlStatus, LogEntry } from '../../control/control-protocol.ts'
import { BalancerError } from '../../errors.ts'
import { defaultLogFile } from '../detached/default-log-file.ts'
import { DetachedProcess } from '../detached/detached-process.ts'
import type { ReadyReport } from '../detached/launch-report.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import { urlsOf } from '../format.ts'
import type { CliIo, StopSignal } from '../io.ts'
import { lineFormat } from '../line-format.ts'
import { printable } from '../printable.ts'

export interface DetachOptions {
  config?: string | undefined
  control?: string | false | undefined
  logFile?: string | undefined
}

/** How much of the log a failed start prints. */
const SHOWN_LOG_BYTES = 16_384
const WARN_LEVEL = 40
const SIGNAL_EXIT_CODES: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143 }

/**
 * Resolves with the exit code when the balancer is ready, or 128 plus the signal that ended the wait. Throws the error of its start, ERR_CONTROL if
 * a balancer of this folder or config runs already.
 */
export async function startDetached(options: DetachOptions, io: CliIo): Promise<number> {
  if (io.env.NOTIFY_SOCKET !== undefined)
    throw new BalancerError(
      'ERR_CONFIG',
      'A service manager has started this command and would lose sight of a detached balancer: leave out --detach',
      { source: 'config' },
    )
  await refuseSecond(options, io)
  const file = options.config === undefined ? findConfig(io.cwd) : resolve(io.cwd, options.config)
  const place = { file, folder: file === undefined ? io.cwd : dirname(file) }
  const logFile = options.logFile === undefined ? defaultLogFile(place, io.env) : resolve(io.cwd, options.logFile)
  const launched = await DetachedProcess.launch({ args: ownArguments(process.argv.slice(2), logFile), logFile, env: io.env })
  let signal: StopSignal | undefined
  const onSignal = (received: string): void => {
    signal ??= received as StopSignal
    void launched.end()
  }
  for (const name of ['SIGINT', 'SIGTERM'] as const) io.signals.on(name, onSignal)
  try {
    const ready = await launched.untilReady()
    io.stdout.write(printable(`${lines(ready, { ...options, logFile }).join('\n')}\n`))
    return 0
  } catch (error) {
    if (signal !== undefined) {
      io.stderr.write(`${signal}: the start was cancelled\n`)
      return SIGNAL_EXIT_CODES[signal]
    }
    printLog(logFile, launched.logStart, error, io)
    throw error
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) io.signals.off(name, onSignal)
  }
}

/** A second balancer for the same config would take over the name and the port of the first. */
async function refuseSecond({ config, control }: DetachOptions, io: CliIo): Promise<void> {
  if (control === false) return
  const running = await statusOf({ config, control }, io)
  if (running === undefined) return
  const { name, pid, addresses } = running
  const where = addresses.length === 0 ? '' : ` on ${urlsOf(running).join(' ')}`
  const flags = flagsOf({ config, control })
  throw new BalancerError(
    'ERR_CONTROL',
    `Balancer '${name}' (pid ${pid}) runs already${where}.\n  To load new code: 'balancer reload${flags}'; to stop it: 'balancer stop${flags}'`,
    { source: 'system' },
  )
}

async function statusOf(options: FindBalancerOptions, io: CliIo): Promise<ControlStatus | undefined> {
  try {
    const client: ControlClient = await findBalancer(options, io)
    return await client.status()
  } catch (error) {
    if (error instanceof BalancerError && error.code === 'ERR_NOT_RUNNING') return undefined
    throw error
  }
}

/** The same command line for the process in the background: an upgrade starts it again by that. Arguments of the app are after `--`. */
function ownArguments(args: readonly string[], logFile: string): string[] {
  const split = args.indexOf('--')
  const own = split === -1 ? args : args.slice(0, split)
  return [...own.map((arg) => (arg === '--detach' ? '--detached' : arg)), '--log-file', logFile, ...(split === -1 ? [] : args.slice(split))]
}

function lines(
  { name, pid, addresses, tlsAddresses, admin, control }: ReadyReport,
  options: DetachOptions & { logFile: string },
): string[] {
  const flags = flagsOf(options)
  const rows: (readonly [string, string])[] = [
    ...urlsOf({ addresses, tlsAddresses }).map((url) => ['listens on', url] as const),
    ...(admin === null ? [] : [['metrics', `${admin}/metrics`] as const]),
    ['log', options.logFile],
    ['to stop it', control === null ? `kill ${pid}` : `balancer stop${flags}`],
  ]
  return [`${name} runs in the background (pid ${pid})`, ...rows.map(([title, text]) => `  ${title.padEnd(12)}${text}`)]
}

/** The options with which another command finds this balancer. */
function flagsOf({ config, control }: DetachOptions): string {
  if (typeof control === 'string') return ` --control ${control}`
  return config === undefined ? '' : ` --config ${config}`
}

/** Prints what the app and the balancer have said since `position`: warnings, errors, and output of workers. */
function printLog(path: string, position: number, error: unknown, io: CliIo): void {
  const text = readFrom(path, position)
  // The message itself is printed by the command, as that of any error.
  const own = error instanceof BalancerError ? printable(`balancer: ${error.message} (${error.code})\n`) : ''
  const format = lineFormat(io.stderr.isTTY === true)
  for (const line of text.replace(own, '').split('\n')) {
    const entry = entryOf(line)
    if (entry === undefined) io.stderr.write(line.trim() === '' ? '' : `${printable(line)}\n`)
    else if (entry.stream !== undefined || entry.level >= WARN_LEVEL) io.stderr.write(format(entry))
  }
  io.stderr.write(`The whole log is in ${printable(path)}\n`)
}

function entryOf(line: string): LogEntry | undefined {
  try {
    const entry = JSON.parse(line) as LogEntry
    return typeof entry === 'object' && entry !== null && typeof entry.level === 'number' ? entry : undefined
  } catch {
    return undefined
  }
}

/** At most SHOWN_LOG_BYTES, from the beginning of a line. */
function readFrom(path: string, position: number): string {
  const fd = openSync(path, 'r')
  try {
    const { size } = fstatSync(fd)
    const from = Math.max(position, size - SHOWN_LOG_BYTES)
    const buffer = Buffer.alloc(Math.max(0, size - from))
    const text = buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, from))
    return from === position ? text : text.slice(text.indexOf('\n') + 1)
  } finally {
    closeSync(fd)
  }
}
