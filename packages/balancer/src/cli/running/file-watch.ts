// `balancer start --watch`, for development: reloads when a file of the app or the config changes.

import { dirname, extname, relative, resolve, sep } from 'node:path'
import type { Settings } from '../../settings.ts'
import { counted, pathFrom } from '../format.ts'
import type { Log } from '../log.ts'
import type { RunningOperations } from './running-operations.ts'

export interface FileWatchOptions {
  settings: Settings
  /** Default: the folders of the apps and of the config. */
  paths: readonly string[] | undefined
  envFile: string | undefined
  operations: Pick<RunningOperations, 'requestReload'>
  log: Log
  cwd: string
}

export interface FileWatch {
  close(): Promise<void>
}

const DEBOUNCE_MS = 200
/** Open websockets must not delay a developer who waits for the new code. */
const MAX_DRAIN_MS = 1_000
const MAX_SETTLE_MS = 250

/** Other files may be written by the app itself, so they do not count unless the user names their path. */
const CODE_EXTENSIONS = new Set(['.js', '.mjs', '.cjs', '.jsx', '.ts', '.mts', '.cts', '.tsx', '.json'])

/** Settings while files are watched: all workers are replaced at once, and drains are short. */
export function forDevelopment(settings: Settings): Settings {
  const { limits, pools } = settings
  const drainTimeoutMs = Math.min(limits.drainTimeoutMs, MAX_DRAIN_MS)
  return {
    ...settings,
    limits: { ...limits, drainTimeoutMs },
    pools: pools.map((pool) => ({
      ...pool,
      reload: { maxSurge: pool.workers, settleMs: Math.min(pool.reload.settleMs, MAX_SETTLE_MS) },
      drainSpreadMs: Math.min(pool.drainSpreadMs, drainTimeoutMs),
      drainReturnMs: Math.min(pool.drainReturnMs, drainTimeoutMs),
    })),
  }
}

/** Requests a reload DEBOUNCE_MS after the last of several changes. Logs a line when all folders are watched. */
export async function watchFiles(options: FileWatchOptions): Promise<FileWatch> {
  const { watch } = await import('chokidar')
  const { settings, paths, envFile, operations, log, cwd } = options
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
      operations.requestReload(describeChange([...changed], cwd))
      changed.clear()
    }, DEBOUNCE_MS)
  })
  let isErrorLogged = false
  watcher.on('error', (error) => {
    if (isErrorLogged) return
    isErrorLogged = true
    log.logger.warn({ err: error }, `some files are not watched: ${(error as Error).message}. Watch fewer files with --watch-path`)
  })
  const list = roots.map((root) => pathFrom(cwd, root)).join(', ')
  watcher.once('ready', () => log.logger.info({ paths: roots }, `reloads when a file changes in ${list}`))
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
 * Returns whether a path is ignored: node_modules, dist, names that begin with a dot, and with `codeOnly` every file that is not code.
 * A root itself is never ignored. A path below several roots is ignored only if all of them ignore it.
 */
export function ignores(roots: readonly string[], codeOnly: boolean): (path: string, isFile: boolean) => boolean {
  return (path, isFile) => {
    const within = roots.map((root) => relative(root, path)).filter((below) => below !== '..' && !below.startsWith(`..${sep}`))
    if (within.includes('')) return false
    if (isFile && codeOnly && !CODE_EXTENSIONS.has(extname(path))) return true
    return within.every((below) => below.split(sep).some((name) => name === 'node_modules' || name === 'dist' || name.startsWith('.')))
  }
}

/** `server.js has changed`, `server.js and 2 other files have changed`. */
export function describeChange(paths: readonly string[], cwd: string): string {
  const first = pathFrom(cwd, paths[0] as string)
  const others = paths.length - 1
  return others === 0 ? `${first} has changed` : `${first} and ${counted(others, 'other file')} have changed`
}
