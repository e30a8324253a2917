// `balancer start --watch`: looks for changes of files while somebody develops, and reloads.

import { basename, dirname, extname, relative, resolve, sep } from 'node:path'
import { watch } from 'chokidar'
import type { Settings } from '../../settings.ts'
import type { Log } from '../log.ts'
import type { Reloader } from './reloader.ts'

export interface FileWatchOptions {
  settings: Settings
  /** Left out: the folders of the apps and of the config. */
  paths: readonly string[] | undefined
  envFile: string | undefined
  reloader: Pick<Reloader, 'request'>
  log: Log
  cwd: string
}

export interface FileWatch {
  close(): Promise<void>
}

const debounceMs = 200
/** Nobody wants to wait for the websockets of a page that is being written, nor long for what is new. */
const maxDrainMs = 1_000
const maxSettleMs = 250

/** What an app and its config are made of. What else lies there may be written by the app itself. */
const codeExtensions = new Set(['.js', '.mjs', '.cjs', '.jsx', '.ts', '.mts', '.cts', '.tsx', '.json'])

/** The settings as they are while files are watched: all workers are replaced together, and what is old leaves soon. */
export function forDevelopment(settings: Settings): Settings {
  const { limits, pools } = settings
  const drainTimeoutMs = Math.min(limits.drainTimeoutMs, maxDrainMs)
  return {
    ...settings,
    limits: { ...limits, drainTimeoutMs },
    pools: pools.map((pool) => ({
      ...pool,
      reload: { maxSurge: pool.workers, settleMs: Math.min(pool.reload.settleMs, maxSettleMs) },
      drainSpreadMs: Math.min(pool.drainSpreadMs, drainTimeoutMs),
      drainReturnMs: Math.min(pool.drainReturnMs, drainTimeoutMs),
    })),
  }
}

/** Asks for a reload whenever files have changed and then stayed as they are for a moment. The log says when every folder is looked at. */
export function watchFiles(options: FileWatchOptions): FileWatch {
  const { settings, paths, envFile, reloader, log, cwd } = options
  const single = [envFile, settings.file].flatMap((file) => (file === undefined ? [] : [resolve(cwd, file)]))
  const roots = [...new Set(paths === undefined ? defaultRoots(settings) : paths.map((path) => resolve(cwd, path)))]
  const isIgnored = ignores(roots, paths === undefined)
  const watcher = watch([...roots, ...single], {
    ignoreInitial: true,
    ignored: (path, stats) => !single.includes(path) && isIgnored(path, stats?.isFile() ?? false),
  })
  const changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  watcher.on('all', (event, path) => {
    if (event === 'addDir' || event === 'unlinkDir') return
    changed.add(path)
    clearTimeout(timer)
    timer = setTimeout(() => {
      reloader.request(describeChange([...changed], cwd))
      changed.clear()
    }, debounceMs)
  })
  let told = false
  watcher.on('error', (error) => {
    if (told) return
    told = true
    log.logger.warn({ err: error }, `not every file is watched: ${(error as Error).message} (--watch-path names fewer)`)
  })
  const where = roots.map((root) => nearest(root, cwd)).join(', ')
  watcher.once('ready', () => log.logger.info({ paths: roots }, `reloads when a file changes in ${where}`))
  return {
    close: async () => {
      clearTimeout(timer)
      await watcher.close()
    },
  }
}

function defaultRoots({ file, pools }: Settings): string[] {
  return [...pools.map(({ app }) => dirname(app)), ...(file === undefined ? [] : [dirname(file)])]
}

/**
 * Whether a path is looked at: not packages, builds and what begins with a dot, and without paths of the user's only code. A root itself always is, and what lies in
 * several is when one of them wants it.
 */
export function ignores(roots: readonly string[], codeOnly: boolean): (path: string, isFile: boolean) => boolean {
  return (path, isFile) => {
    const within = roots.map((root) => relative(root, path)).filter((below) => below !== '..' && !below.startsWith(`..${sep}`))
    if (within.includes('')) return false
    if (isFile && codeOnly && !codeExtensions.has(extname(path))) return true
    return within.every((below) => below.split(sep).some((name) => name === 'node_modules' || name === 'dist' || name.startsWith('.')))
  }
}

/** `server.js has changed`, `server.js and 2 other files have changed`. */
export function describeChange(paths: readonly string[], cwd: string): string {
  const first = nearest(paths[0] as string, cwd)
  const others = paths.length - 1
  return others === 0 ? `${first} has changed` : `${first} and ${others} other ${others === 1 ? 'file' : 'files'} have changed`
}

function nearest(path: string, cwd: string): string {
  const near = relative(cwd, path)
  return near === '' ? basename(path) : near.startsWith('..') ? path : near
}
