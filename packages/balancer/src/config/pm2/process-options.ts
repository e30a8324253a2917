// The options that say what runs: program, arguments, environment, number of processes, user.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { show } from '../faults.ts'
import { whyNoApp } from '../pool/app.ts'
import type { AppDraft } from './app-draft.ts'
import { opensServer } from './opens-server.ts'
import { findProgram, type NodeProgram } from './program.ts'
import { fromHome, type Read, readFlag, readText, readWhole, readWords } from './values.ts'

export const processOptions = [
  ...['script', 'name', 'name_prefix', 'append_env_to_name', 'cwd', 'args', 'exec_interpreter', 'node_args'],
  ...[
    'source_map_support',
    'disable_source_map_support',
    'env',
    'port',
    'instances',
    'exec_mode',
    'increment_var',
    'instance_var',
    'uid',
    'gid',
  ],
]

export interface ProcessContext {
  /** The variables of `env_NAME` apply; undefined: those of `env` alone. */
  readonly environment: string | undefined
  /** Folder of the config. Workers have it as their working directory unless their pool names another. */
  readonly folder: string
  /** The number of workers that `'max'` stands for. */
  readonly cpus: () => number
}

/** Sets what the app runs. False: the balancer can't run it. */
export function convertProcess(draft: AppDraft, context: ProcessContext): boolean {
  const program = convertProgram(draft, context)
  if (program === undefined) return false
  convertEnvironment(draft, context, program)
  convertWorkers(draft, context)
  convertSlotVariable(draft)
  convertUser(draft)
  const maps = draft.read('source_map_support', readFlag)
  const noMaps = draft.read('disable_source_map_support', readFlag)
  if (noMaps === true || maps === false) draft.pool.sourceMaps = false
  for (const option of ['source_map_support', 'disable_source_map_support'])
    if (draft.has(option)) draft.say(option, 'same', undefined, `pools.${draft.poolName}.sourceMaps`)
  return true
}

function convertProgram(draft: AppDraft, { folder }: ProcessContext): NodeProgram | undefined {
  const { poolName, written } = draft
  if (!written.options.has('script')) {
    draft.faults.push({ path: `apps.${draft.name}`, message: 'names no script' })
    return undefined
  }
  const script = draft.read('script', readText)
  const args = draft.read('args', readWords) ?? []
  const interpreter = draft.read('exec_interpreter', readText)
  const nodeArgs = draft.read('node_args', readWords) ?? []
  const cwd = resolve(draft.folder, fromHome(draft.read('cwd', readText) ?? '.'))
  if (script === undefined) return undefined
  const program = findProgram({ script: fromHome(script), args, interpreter, cwd })
  if ('reason' in program) {
    const file = resolve(cwd, fromHome(script))
    const command = [interpreter === 'none' ? undefined : (interpreter ?? program.program), existsSync(file) ? file : script, ...args]
    const words = command.filter((word) => word !== undefined).join(' ')
    draft.say('script', 'missing', `${program.reason}. The app is left out: run it by systemd, in a unit with ExecStart=${words}`)
    return undefined
  }
  draft.entry = program.file
  draft.set('app', program.file, 'script')
  if (!program.exists) draft.say('script', 'differs', whyNoApp(program.file, folder), `pools.${poolName}.app`)
  if (cwd !== folder) draft.pool.cwd = cwd
  if (draft.has('cwd')) draft.say('cwd', 'same', undefined, `pools.${poolName}.${cwd === folder ? 'app' : 'cwd'}`)
  if (program.args.length > 0) draft.pool.args = program.args
  if (draft.has('args')) draft.say('args', 'same', undefined, `pools.${poolName}.args`)
  const execArgv = [...program.execArgv, ...nodeArgs]
  if (execArgv.length > 0) draft.pool.execArgv = execArgv
  if (draft.has('node_args')) draft.say('node_args', 'same', undefined, `pools.${poolName}.execArgv`)
  if (draft.has('exec_interpreter')) {
    if (program.note !== undefined) draft.say('exec_interpreter', 'missing', program.note)
    else if (program.execArgv.length > 0) draft.say('exec_interpreter', 'same', undefined, `pools.${poolName}.execArgv`)
    else draft.say('exec_interpreter', 'not needed', 'workers run with the Node that runs the balancer')
  }
  convertName(draft)
  return program
}

function convertName(draft: AppDraft): void {
  const { name, poolName } = draft
  const note =
    poolName === name
      ? undefined
      : `the pool is called '${poolName}': a name is one of its kind, begins with a letter and has letters, digits, - and _`
  for (const option of ['name', 'name_prefix', 'append_env_to_name'])
    if (draft.has(option)) draft.say(option, note === undefined ? 'same' : 'differs', note, `pools.${poolName}`)
}

function convertEnvironment(draft: AppDraft, { environment }: ProcessContext, program: NodeProgram): void {
  const { poolName, written } = draft
  const variables: Record<string, string> = { ...program.env, ...draft.read('env', readVariables) }
  for (const [name, { name: option, value }] of written.environments) {
    if (name !== environment) {
      draft.say(option, 'not needed', `--env ${name} takes it over`)
      continue
    }
    const read = readVariables(value)
    if ('fault' in read) draft.fault(option, read.fault)
    else Object.assign(variables, read.value)
    draft.say(option, 'same', undefined, `pools.${poolName}.env`)
  }
  if (environment !== undefined && !written.environments.has(environment))
    draft.say(`env_${environment}`, 'differs', 'this app has none, so its env alone applies')
  const port = draft.read('port', (value) => readWhole(value, 1))
  if (port !== undefined) {
    variables.PORT = String(port)
    draft.say('port', 'same', 'the app must listen on the variable PORT, as with PM2', `pools.${poolName}.env`)
  }
  if (/^\d{1,5}$/.test(variables.PORT ?? '')) draft.port = Number(variables.PORT)
  if (Object.keys(variables).length > 0) draft.pool.env = variables
  if (draft.has('env')) draft.say('env', 'same', undefined, `pools.${poolName}.env`)
  if (!listens(draft)) {
    draft.pool.listens = false
    draft.say(
      'listens',
      'differs',
      'no file of the app opens a server, so its workers need not listen. Remove listens: false if it opens one',
      `pools.${poolName}.listens`,
    )
  }
}

function listens(draft: AppDraft): boolean {
  return draft.port !== undefined || draft.entry === undefined || opensServer(draft.entry)
}

/** PM2 turns values into text, and objects into JSON. */
function readVariables(value: unknown): Read<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { fault: `expected an object of names and values, got ${show(value)}` }
  const variables: Record<string, string> = {}
  for (const [name, one] of Object.entries(value)) {
    if (one === undefined || typeof one === 'function') continue
    try {
      variables[name] = typeof one === 'object' && one !== null ? JSON.stringify(one) : String(one)
    } catch {
      return { fault: `${name} can't be written as text` }
    }
  }
  return { value: variables }
}

function convertWorkers(draft: AppDraft, { cpus }: ProcessContext): void {
  const mode = draft.read('exec_mode', readMode)
  const wanted = draft.read('instances', readCount) ?? 1
  const workers = wanted === 0 ? 'max' : wanted > 0 ? wanted : Math.max(1, cpus() + wanted)
  draft.pool.workers = workers
  const path = `pools.${draft.poolName}.workers`
  const fromCores = wanted < 0 ? `${workers} on this machine: its ${cpus()} cores and ${wanted}` : undefined
  if (draft.has('instances')) draft.say('instances', fromCores === undefined ? 'same' : 'differs', fromCores, path)
  else draft.say('instances', 'same', 'PM2 starts one process of an app that does not say how many', path)
  if (mode === undefined) return
  const isSharing = mode === 'fork' && workers !== 1 && draft.pool.listens !== false
  if (isSharing) draft.say('exec_mode', 'differs', 'in PM2 each of these processes binds its port itself. Here they share the port')
  else draft.say('exec_mode', 'not needed', 'a worker is a process of its own, and the workers of a pool share its port, in any case')
}

function readMode(value: unknown): Read<'cluster' | 'fork'> {
  const [, mode] = /^(cluster|fork)(?:_mode)?$/.exec(String(value)) ?? []
  return mode === undefined ? { fault: `expected 'cluster' or 'fork', got ${show(value)}` } : { value: mode as 'cluster' | 'fork' }
}

/** 0: as many as there are cores. Negative: that many fewer. */
function readCount(value: unknown): Read<number> {
  if (value === 'max') return { value: 0 }
  const read = readWhole(value, Number.MIN_SAFE_INTEGER)
  return 'value' in read ? read : { fault: `expected a whole number or 'max', got ${show(value)}` }
}

function convertSlotVariable(draft: AppDraft): void {
  const own = draft.read('instance_var', readText)
  if (own !== undefined) {
    if (own === 'NODE_APP_INSTANCE') draft.say('instance_var', 'same', 'that is the default')
    else draft.set('slotVariable', own, 'instance_var')
  }
  const counted = draft.read('increment_var', readText)
  if (counted === undefined) return
  const first = draft.pool.env?.[counted]
  if (counted === 'PORT') draft.say('increment_var', 'not needed', `the workers share port ${first ?? 'that they listen on'}`)
  else if (own === undefined && (first === undefined || first === '0'))
    draft.set('slotVariable', counted, 'increment_var', 'differs', 'it has the slot of the worker, from 0')
  else draft.say('increment_var', 'missing', `compute it in the app: ${first ?? '0'} plus process.env.SWITCHYARD_SLOT`)
}

function convertUser(draft: AppDraft): void {
  const readUser = (value: unknown): Read<number | string> => (typeof value === 'number' ? readWhole(value) : readText(value))
  for (const option of ['uid', 'gid'] as const) {
    const user = draft.read(option, readUser)
    if (user !== undefined) draft.set(option, user, option)
  }
}
