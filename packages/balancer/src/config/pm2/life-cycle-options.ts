// The options that say how processes start, end and come back.

import { show } from '../faults.ts'
import { defaultLimits } from '../limit-options.ts'
import { defaultReload } from '../pool/pool-options.ts'
import { bytesOf } from '../schema.ts'
import type { AppDraft } from './app-draft.ts'
import { type Read, readBytes, readCodes, readFlag, readMs, readWhole } from './values.ts'

export const lifeCycleOptions = [
  ...['max_memory_restart', 'restart_delay', 'exp_backoff_restart_delay', 'wait_ready', 'listen_timeout', 'kill_timeout'],
  ...['shutdown_with_message', 'cron_restart', 'autorestart', 'autostart', 'stop_exit_codes', 'min_uptime', 'max_restarts'],
]

const LEAST_MEMORY = 2 ** 20
/** A reload waits as long for each worker. */
const MOST_SETTLE_MS = 10_000
const FOR_ALL_POOLS = 'It applies to all pools'

export function convertLifeCycle(draft: AppDraft): void {
  convertMemory(draft)
  convertStart(draft)
  convertStop(draft)
  convertRestarts(draft)
  convertTimes(draft)
}

function convertMemory(draft: AppDraft): void {
  const bytes = draft.read('max_memory_restart', readBytes)
  if (bytes === undefined) return
  const written = draft.written.options.get('max_memory_restart')?.value
  if (bytes < LEAST_MEMORY) draft.fault('max_memory_restart', `expected at least 1M, got ${show(written)}`)
  const soft = typeof written === 'string' && bytesOf(written) === bytes ? written : bytes
  draft.set('maxMemory', { soft }, 'max_memory_restart', 'same', 'the new worker starts before the old one ends')
}

function convertStart(draft: AppDraft): void {
  const waits = draft.read('wait_ready', readFlag)
  if (waits === true) draft.set('readyWhen', 'message', 'wait_ready')
  else if (waits === false) draft.say('wait_ready', 'same', 'that is the default')
  const timeoutMs = draft.read('listen_timeout', readWhole)
  if (timeoutMs === undefined) return
  const { startTimeoutMs } = defaultLimits
  if (timeoutMs > startTimeoutMs)
    draft.setLimit(
      'startTimeoutMs',
      timeoutMs,
      'listen_timeout',
      `a worker that is not ready by then has failed, where PM2 goes on without it. ${FOR_ALL_POOLS}`,
    )
  else
    draft.say(
      'listen_timeout',
      'not needed',
      `a worker has ${startTimeoutMs} ms to become ready, and a reload waits for it (startTimeoutMs)`,
    )
}

function convertStop(draft: AppDraft): void {
  const timeoutMs = draft.read('kill_timeout', readWhole)
  if (timeoutMs !== undefined)
    draft.set(
      'stopTimeoutMs',
      timeoutMs,
      'kill_timeout',
      'same',
      `requests in flight have drainTimeoutMs (${defaultLimits.drainTimeoutMs} ms) before that`,
    )
  const byMessage = draft.read('shutdown_with_message', readFlag)
  if (byMessage === true) draft.set('shutdownMessage', true, 'shutdown_with_message', 'same', 'the stop signal follows')
  else if (byMessage === false) draft.say('shutdown_with_message', 'same', 'that is the default')
}

function convertRestarts(draft: AppDraft): void {
  const backOff = `the delay doubles with each failure in a row, up to ${defaultLimits.maxRestartDelayMs} ms, with jitter. ${FOR_ALL_POOLS}`
  for (const option of ['restart_delay', 'exp_backoff_restart_delay']) {
    const delayMs = draft.read(option, readWhole)
    if (delayMs === 0) draft.say(option, 'not needed', `the first restart is after ${defaultLimits.restartDelayMs} ms (restartDelayMs)`)
    else if (delayMs !== undefined) draft.setLimit('restartDelayMs', Math.max(delayMs, draft.limits.restartDelayMs ?? 0), option, backOff)
  }
  const restarts = draft.read('max_restarts', readWhole)
  const minutes = defaultLimits.restartWindowMs / 60_000
  if (restarts !== undefined)
    draft.setLimit(
      'maxRestarts',
      restarts,
      'max_restarts',
      `it counts the restarts of one slot within ${minutes} minutes (restartWindowMs). Then the slot is broken, and 'balancer restart' fills it. ${FOR_ALL_POOLS}`,
    )
  const codes = draft.read('stop_exit_codes', readCodes)
  if (codes !== undefined) draft.set('stopExitCodes', codes, 'stop_exit_codes')
  const upMs = draft.read('min_uptime', readMs)
  if (upMs === undefined) return
  const settleMs = Math.min(upMs, MOST_SETTLE_MS)
  const note =
    settleMs < upMs
      ? `a reload waits for each worker as long, so it is ${MOST_SETTLE_MS} ms here`
      : 'a new worker counts as ready when it has been up for so long'
  draft.set('reload', { settleMs: settleMs === 0 ? defaultReload.settleMs : settleMs }, 'min_uptime', 'differs', note)
}

/** `cron_restart`, `autorestart` and `autostart`. A process that is not restarted when it ends, but at certain times, is a scheduled one. */
function convertTimes(draft: AppDraft): void {
  const cron = draft.read('cron_restart', readCron)
  const restarts = draft.read('autorestart', readFlag) ?? true
  if (draft.read('autostart', readFlag) !== undefined && !draft.isSettled('autostart'))
    draft.say('autostart', 'same', 'that is the default')
  if (cron === '') draft.say('cron_restart', 'same', 'that turns it off')
  if (draft.has('autorestart') && restarts) draft.say('autorestart', 'same', 'that is the default')
  if (cron !== undefined && cron !== '' && !restarts) {
    draft.set(
      'schedule',
      cron,
      'cron_restart',
      'differs',
      'the process starts at these times only, and not with the balancer as well. It never runs twice at a time',
    )
    sayScheduled(draft)
    return
  }
  if (cron !== undefined && cron !== '')
    draft.set('restartAt', cron, 'cron_restart', 'same', 'workers are replaced one by one, without downtime')
  if (restarts) return
  draft.set(
    'stopExitCodes',
    [...new Set([0, ...(draft.pool.stopExitCodes ?? [])])],
    'autorestart',
    'differs',
    'an exit with code 0 is final. After another one the worker starts again, with back-off',
  )
}

/** One process at a time, which is no server and is never waited for. */
function sayScheduled(draft: AppDraft): void {
  const { pool, poolName } = draft
  const { workers = 1 } = pool
  for (const name of ['listens', 'workers', 'readyWhen'] as const) delete pool[name]
  for (const option of ['listens', 'instances']) draft.drop(option)
  draft.say('autorestart', 'same', undefined, `pools.${poolName}.schedule`)
  if (draft.has('wait_ready')) draft.say('wait_ready', 'not needed', 'nothing waits for a process that starts at a time')
  if (!draft.has('instances')) return
  if (workers === 1) draft.say('instances', 'same', 'one process runs at a time')
  else draft.say('instances', 'differs', 'one process runs at a time. With overlap: true there may be more')
}

/** Empty: off. */
function readCron(value: unknown): Read<string> {
  if (value === 0 || value === '0' || value === false) return { value: '' }
  return typeof value === 'string' && value.trim() !== ''
    ? { value: value.trim() }
    : { fault: `expected a cron pattern such as '0 3 * * *', got ${show(value)}` }
}
