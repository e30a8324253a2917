// The names of PM2's options: those of its published schema, others that its documentation names, and their aliases.

/** By option. Each also has the camel case of its name as an alias. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  script: ['exec', 'cmd', 'command'],
  name: [],
  name_prefix: [],
  filter_env: [],
  namespace: [],
  install_url: [],
  cwd: [],
  args: [],
  exec_interpreter: ['interpreter'],
  node_args: ['interpreterArgs', 'interpreter_args'],
  out_file: ['out', 'output', 'out_log'],
  error_file: ['error', 'err', 'err_file', 'err_log'],
  log_file: ['log'],
  disable_logs: [],
  log_type: [],
  log_date_format: [],
  time: [],
  env: [],
  max_memory_restart: [],
  pid_file: ['pid'],
  restart_delay: [],
  exp_backoff_restart_delay: [],
  source_map_support: [],
  disable_source_map_support: [],
  wait_ready: [],
  instances: [],
  kill_timeout: [],
  shutdown_with_message: [],
  listen_timeout: [],
  cron_restart: ['cron'],
  merge_logs: ['combine_logs'],
  vizion: [],
  autorestart: [],
  autostart: [],
  stop_exit_codes: [],
  watch_delay: [],
  watch: [],
  ignore_watch: [],
  watch_options: [],
  min_uptime: [],
  max_restarts: [],
  execute_command: [],
  exec_mode: [],
  force: [],
  append_env_to_name: [],
  post_update: [],
  trace: [],
  disable_trace: [],
  v8: [],
  event_loop_inspector: [],
  deep_monitoring: [],
  increment_var: [],
  instance_var: [],
  pmx: [],
  automation: [],
  treekill: [],
  port: [],
  username: [],
  uid: ['user'],
  gid: [],
  windowsHide: [],
  kill_retry_time: [],
  write: [],
  io: [],
}

/** Every option that the conversion knows. */
export const pm2Options: readonly string[] = Object.keys(OPTIONS)

const ENVIRONMENT = /^env_\S*$/
const byName = new Map(
  Object.entries(OPTIONS).flatMap(([option, aliases]) => [option, camelCase(option), ...aliases].map((name) => [name, option] as const)),
)

/** Each name by which an option may be written. */
export const pm2OptionNames: readonly string[] = [...byName.keys()]

/** An option of an app as the file has it. */
export interface WrittenOption {
  /** As written. */
  readonly name: string
  readonly value: unknown
}

/** The options of one app. */
export interface WrittenApp {
  readonly options: ReadonlyMap<string, WrittenOption>
  /** `env_production` and its like, by what stands behind `env_`. */
  readonly environments: ReadonlyMap<string, WrittenOption>
  /** Names that are no option of PM2. */
  readonly unknown: readonly string[]
}

/** Sorts what an app says. A value that is null or undefined counts as left out. The option's own name wins over its aliases. */
export function readOptions(app: Readonly<Record<string, unknown>>): WrittenApp {
  const options = new Map<string, WrittenOption>()
  const environments = new Map<string, WrittenOption>()
  const unknown: string[] = []
  for (const [name, value] of Object.entries(app)) {
    if (value === undefined || value === null) continue
    const option = byName.get(name)
    if (option !== undefined) {
      if (name === option || !options.has(option)) options.set(option, { name, value })
    } else if (ENVIRONMENT.test(name)) environments.set(name.slice('env_'.length), { name, value })
    else unknown.push(name)
  }
  return { options, environments, unknown }
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase())
}
