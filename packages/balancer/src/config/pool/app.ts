// `app`: the entry file of each pool. It is found as `node some/path` finds it; a fault names similar files.

import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PROXY_APP, releaseFiles } from '../../system/release-files.ts'
import { didYouMean, type Fault, formatPath } from '../faults.ts'
import { isPm2File } from '../pm2-file.ts'
import { type PoolConfig, poolsOf } from './pool-options.ts'

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts', '.mts'] as const
/** Files of data or text, which no worker can run. */
const DATA_EXTENSIONS = ['.json', '.yml', '.yaml', '.toml', '.html', '.css', '.md', '.txt']
/** Most file names that are compared with a misspelt one. */
const MAX_NAMES = 1000

type FoundApp = { file: string; fault?: undefined } | { file?: undefined; fault: Fault }

/** The entry file of each pool, or its fault. The config may have faults elsewhere. */
export function* appsOf(input: unknown, folder: string): Generator<[pool: string, FoundApp]> {
  if (typeof input !== 'object' || input === null) return
  const config = input as { app?: unknown; pools?: Readonly<Record<string, PoolConfig>> }
  const pools: unknown = poolsOf(config.pools)
  if (typeof pools !== 'object' || pools === null) return
  for (const [name, pool] of Object.entries(pools)) {
    if (typeof pool !== 'object' || pool === null) continue
    if (pool.upstream !== undefined) {
      yield [name, { file: proxyAppFile(name) }]
      continue
    }
    const own: unknown = pool.app
    const app = own ?? config.app
    const isShared = config.app !== undefined && (own === undefined || own === config.app)
    const path = isShared ? 'app' : formatPath(['pools', name, 'app'])
    if (app === undefined) yield [name, { fault: { path, message: "no app to run: name its entry file here or in 'app'" } }]
    if (typeof app !== 'string' || app === '') continue
    const file = findApp(app, folder)
    if (file === undefined) yield [name, { fault: { kind: 'app-not-found', path, message: whyNoApp(app, folder) } }]
    else {
      const message = whyNotRunnable(file)
      yield [name, message === undefined ? { file } : { fault: { path, message } }]
    }
  }
}

/** The app that workers run as proxies. */
function proxyAppFile(name: string): string {
  return fileURLToPath(releaseFiles(name).dependency(PROXY_APP))
}

/**
 * Absolute path of an app's entry file, or undefined when there is none.
 * Tried in turn: the file itself, the file with `.js .mjs .cjs .ts .mts`, and for a folder its package.json's `main`, then `index`.
 */
export function findApp(app: string, folder: string): string | undefined {
  const path = resolve(folder, app)
  return findFile(path) ?? findInFolder(path)
}

/** Why there is nothing to run at the path, in one sentence. */
export function whyNoApp(app: string, folder: string): string {
  const path = resolve(folder, app)
  if (!isFolder(path)) return `there is no app at ${path}${didYouMean(basename(path), appNamesIn(dirname(path)))}`
  const main = mainOf(path)
  const named = main === undefined ? "no 'main' in a package.json" : `no ${main}, which its package.json names as 'main',`
  return `there is no app at ${path}: this folder has ${named} and no index.js; name the file to run`
}

/** Why a worker can't run an existing file; undefined: it can. */
export function whyNotRunnable(file: string): string | undefined {
  const isData = DATA_EXTENSIONS.includes(extname(file))
  if (isPm2File(file)) return `${file} is a file for PM2 and no app: 'balancer start ${basename(file)}' runs the apps that it names`
  return isData ? `${file} is not a program: name a file such as server.js` : undefined
}

function appNamesIn(folder: string): string[] {
  try {
    const names = readdirSync(folder).slice(0, MAX_NAMES)
    return names.filter((name) => (EXTENSIONS as readonly string[]).includes(extname(name)))
  } catch {
    return []
  }
}

function findFile(path: string): string | undefined {
  return ['', ...EXTENSIONS].map((extension) => path + extension).find(isFile)
}

function findInFolder(folder: string): string | undefined {
  const main = mainOf(folder)
  const inMain = main === undefined ? undefined : (findFile(join(folder, main)) ?? findFile(join(folder, main, 'index')))
  return inMain ?? findFile(join(folder, 'index'))
}

function mainOf(folder: string): string | undefined {
  try {
    const main: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).main
    return typeof main === 'string' ? main : undefined
  } catch {
    return undefined
  }
}

function isFile(path: string): boolean {
  return statsOf(path)?.isFile() ?? false
}

function isFolder(path: string): boolean {
  return statsOf(path)?.isDirectory() ?? false
}

/** undefined: the path does not exist, or this user has no access. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
