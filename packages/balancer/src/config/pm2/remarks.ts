// The options of PM2 that no option of the config stands for: why, and what to do instead.

import type { AppDraft } from './app-draft.ts'
import type { FindingState } from './finding.ts'

type Remark = readonly [state: Exclude<FindingState, 'same'>, note: string]

const NODE_METRICS = 'the admin page has loop lag, memory, latency and restarts of each worker, for Prometheus: /metrics on 127.0.0.1:9400'
const AGENT = `${NODE_METRICS}. For traces preload the agent of your choice with execArgv`
const WATCH =
  "for development there is 'balancer start --watch', and '--watch-path PATH' names what to watch. A config in production watches nothing"

const REMARKS: Readonly<Record<string, Remark>> = {
  filter_env: ['missing', 'workers have the environment of the balancer: start it with only the variables that they may see'],
  namespace: ['missing', "commands take the name of a pool, such as 'balancer reload POOL'"],
  install_url: ['not needed', 'PM2 uses it for its own modules'],
  pid_file: ['missing', "'balancer status --json' has the process ids of all workers"],
  vizion: ['not needed', 'the balancer reads no Git repository'],
  watch_delay: ['missing', WATCH],
  watch: ['missing', WATCH],
  ignore_watch: ['missing', WATCH],
  watch_options: ['missing', WATCH],
  execute_command: ['not needed', 'it chooses the mode fork in PM2'],
  force: ['not needed', 'each app is a pool of its own'],
  post_update: ['missing', "run these commands in your deployment, and then 'balancer reload'"],
  trace: ['missing', AGENT],
  disable_trace: ['not needed', 'the balancer puts nothing into the app'],
  v8: ['differs', NODE_METRICS],
  event_loop_inspector: ['differs', NODE_METRICS],
  deep_monitoring: ['differs', AGENT],
  pmx: ['not needed', 'the balancer puts no probes into the app'],
  automation: ['not needed', 'the balancer puts no probes into the app'],
  io: ['missing', `${NODE_METRICS}. Actions and counters of @pm2/io have no counterpart: serve them from the app`],
  treekill: ['differs', 'the worker alone gets the stop signal, and the app ends its own child processes'],
  username: ['not needed', 'PM2 sets it itself'],
  windowsHide: ['not needed', 'it is for Windows'],
  kill_retry_time: ['not needed', 'the kernel tells the balancer at once that a worker has ended'],
  write: ['not needed', "'balancer import --write' writes the config"],
}

/** What an option set to false stands for, if that differs. */
const WHEN_FALSE: Readonly<Record<string, Remark>> = {
  ...Object.fromEntries(
    ['watch', 'filter_env', 'trace', 'v8', 'event_loop_inspector', 'deep_monitoring'].map((option): [string, Remark] => [
      option,
      ['not needed', 'it is off here too'],
    ]),
  ),
  treekill: ['not needed', 'the worker alone gets the stop signal here too'],
}

/** The options that have a remark only. */
export const remarkedOptions = Object.keys(REMARKS)

/** Says what becomes of the options that have no counterpart. */
export function remark(draft: AppDraft): void {
  for (const [option, { value }] of draft.written.options) {
    const found = (value === false ? WHEN_FALSE[option] : undefined) ?? REMARKS[option]
    if (found !== undefined && !draft.isSettled(option)) draft.say(option, ...found)
  }
  for (const name of draft.written.unknown) draft.say(name, 'not needed', 'it is no option of PM2')
}
