// The log files of all apps of a file for PM2 as one `logs` option: PM2 names files for each app, the balancer has one pattern for all.

import { basename, dirname, extname, resolve } from 'node:path'
import type { AppDraft } from './app-draft.ts'
import { fromHome, type Read, readFlag, readText } from './values.ts'

export const logOptions = ['out_file', 'error_file', 'log_file', 'disable_logs', 'log_type', 'log_date_format', 'time', 'merge_logs']

/** The part of the option `logs` that a file for PM2 can lead to. */
export interface Pm2Logs {
  folder: string
  file: string
  errorFile?: string
  format?: 'json'
  timestamps?: true
  rotate: { size: string; keep: number; compress: boolean }
}

const ROTATE = { size: '10M', keep: 10, compress: true }
const ROTATES = `It rotates at ${ROTATE.size}, and ${ROTATE.keep} older ones are kept`
const NO_FILES =
  "the output of the workers is in the log of the balancer: 'balancer logs' prints it, and logs: { folder: './logs' } writes files"

interface Wishes {
  readonly draft: AppDraft
  /** Absolute; undefined: none is named. */
  readonly main: string | undefined
  readonly error: string | undefined
  /** One file for all workers of the app. */
  readonly isMerged: boolean
}

/** One option for all of these apps; undefined: no app names a file. */
export function convertLogs(drafts: readonly AppDraft[]): Pm2Logs | undefined {
  const all = drafts.map(wishesOf)
  const named = all.filter(({ main, error }) => main !== undefined || error !== undefined)
  const [first] = named
  if (first === undefined) {
    for (const draft of drafts) sayWithoutFiles(draft)
    return undefined
  }
  const folder = dirname(first.main ?? (first.error as string))
  const hasSeveral = drafts.length > 1
  const file = patternOf(named, hasSeveral, ({ main }) => main, '')
  const errorFile = named.some(({ error }) => error !== undefined)
    ? patternOf(named, hasSeveral, ({ error }) => error, '-error')
    : undefined
  const isJson = drafts.some((draft) => draft.read('log_type', readText) === 'json')
  const hasTimes = drafts.some((draft) => draft.has('log_date_format') || draft.read('time', readFlag) === true)
  const logs: Pm2Logs = {
    folder,
    file,
    ...(errorFile !== undefined && { errorFile }),
    ...(isJson && { format: 'json' as const }),
    ...(hasTimes && { timestamps: true as const }),
    rotate: ROTATE,
  }
  for (const wishes of all) sayFiles(wishes, logs)
  return logs
}

function wishesOf(draft: AppDraft): Wishes {
  const both = pathOf(draft, 'log_file')
  const out = pathOf(draft, 'out_file')
  const error = pathOf(draft, 'error_file')
  const main = both ?? out
  const workers = draft.pool.workers ?? 1
  return {
    draft,
    main,
    // A file with all lines has those of stderr too.
    error: both === undefined && error !== main ? error : undefined,
    isMerged: (draft.read('merge_logs', readFlag) ?? false) || workers === 1,
  }
}

/** undefined: no file, or the null device. */
function pathOf(draft: AppDraft, option: string): string | undefined {
  const path = draft.read(
    option,
    (value): Read<string | undefined> => (typeof value === 'boolean' ? { value: undefined } : readText(value)),
  )
  if (path === undefined || path === 'NULL' || path === '/dev/null') return undefined
  return resolve(draft.pool.cwd ?? draft.folder, fromHome(path))
}

/** The pattern that all files fit, or else one that no two pools share. */
function patternOf(named: readonly Wishes[], hasSeveral: boolean, fileOf: (wishes: Wishes) => string | undefined, mark: string): string {
  const patterns = named.flatMap((wishes) => {
    const file = fileOf(wishes)
    return file === undefined ? [] : [patternFrom(basename(file), wishes)]
  })
  const isShared = hasSeveral && !patterns.every((pattern) => pattern.includes('{pool}'))
  const [pattern] = new Set(patterns).size === 1 && !isShared ? patterns : []
  return pattern ?? (named.every(({ isMerged }) => isMerged) ? `{pool}${mark}.log` : `{pool}-{slot}${mark}.log`)
}

function patternFrom(name: string, { draft, isMerged }: Wishes): string {
  const pattern = name.replace(draft.name, '{pool}')
  if (isMerged) return pattern
  const ending = extname(pattern)
  return `${pattern.slice(0, pattern.length - ending.length)}-{slot}${ending}`
}

function sayFiles({ draft, main, error }: Wishes, { folder, file, errorFile, format, timestamps }: Pm2Logs): void {
  const nameOf = (pattern: string) => pattern.replace('{pool}', draft.poolName)
  const isHere = (path: string, pattern: string) => dirname(path) === folder && basename(path) === nameOf(pattern).replace('-{slot}', '')
  const say = (option: string, path: string | undefined, pattern: string | undefined) => {
    if (!draft.has(option)) return
    if (path === undefined || pattern === undefined)
      draft.say(option, 'missing', 'output is never discarded: it is in the log of the balancer too')
    else if (isHere(path, pattern)) draft.say(option, 'same', ROTATES, 'logs.file')
    else draft.say(option, 'differs', `the file is ${nameOf(pattern)} in ${folder}, where all logs are. ${ROTATES}`, 'logs.file')
  }
  const hasBoth = draft.has('log_file') && main !== undefined && pathOf(draft, 'log_file') === main
  say('log_file', hasBoth ? main : undefined, file)
  if (hasBoth) {
    for (const option of ['out_file', 'error_file'])
      if (draft.has(option)) draft.say(option, 'differs', 'the file of log_file has these lines', 'logs.file')
  } else {
    say('out_file', main, file)
    if (error === undefined && main !== undefined && pathOf(draft, 'error_file') === main)
      draft.say('error_file', 'same', ROTATES, 'logs.file')
    else say('error_file', error, errorFile)
  }
  sayRest(draft, 'logs', format === 'json', timestamps === true)
}

function sayWithoutFiles(draft: AppDraft): void {
  for (const option of ['out_file', 'error_file', 'log_file']) if (draft.has(option)) draft.say(option, 'differs', NO_FILES)
  sayRest(draft, undefined, false, false)
}

function sayRest(draft: AppDraft, becomes: 'logs' | undefined, isJson: boolean, hasTimes: boolean): void {
  const inFiles = (option: string, isTaken: boolean, name: string, note?: string) => {
    if (!draft.has(option)) return
    if (becomes !== undefined && isTaken) draft.say(option, note === undefined ? 'same' : 'differs', note, `logs.${name}`)
    else draft.say(option, 'differs', NO_FILES)
  }
  inFiles('log_type', isJson, 'format')
  inFiles('log_date_format', hasTimes, 'timestamps', 'times are in ISO 8601')
  inFiles('time', hasTimes, 'timestamps', 'times are in ISO 8601')
  if (draft.has('merge_logs'))
    draft.say(
      'merge_logs',
      becomes === undefined ? 'not needed' : 'same',
      becomes === undefined ? NO_FILES : undefined,
      becomes === undefined ? undefined : 'logs.file',
    )
  if (!draft.has('disable_logs')) return
  if (draft.read('disable_logs', readFlag) === true)
    draft.say(
      'disable_logs',
      becomes === undefined ? 'same' : 'missing',
      becomes === undefined ? 'there are no files' : 'the files have the output of every pool',
    )
  else draft.say('disable_logs', 'same', 'that is the default')
}
