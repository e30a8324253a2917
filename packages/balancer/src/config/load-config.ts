// Finds and reads the config file: a named one, which may be a file for PM2, or balancer.config.{ts,mts,js,mjs,cjs,json} in the current folder. It reads no other file: no rc file, no .env,
// no package.json and nothing in the user's home.

import { existsSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BalancerError } from '../errors.ts'
import { freshJiti } from './fresh-jiti.ts'
import type { Pm2Choice } from './pm2/convert.ts'
import type { ImportOptions, Pm2Import } from './pm2/import.ts'
import { isPm2File } from './pm2-file.ts'

const EXTENSIONS = ['ts', 'mts', 'js', 'mjs', 'cjs', 'json'] as const

export interface LoadedConfig {
  /** What the file exports, unchecked. */
  config: unknown
  file: string
  /** Relative paths in the config start from it. */
  folder: string
  /** Set if the file is one for PM2. */
  pm2?: Pm2Import | undefined
}

export interface LoadOptions {
  /** Left out: the file of the folder. */
  file?: string | undefined
  folder: string
  /** Which part of a file for PM2 is meant. */
  pm2?: Pm2Choice | undefined
}

/** The config file of a folder: the first of balancer.config.{ts,mts,js,mjs,cjs,json} that exists. */
export function findConfig(folder: string): string | undefined {
  return EXTENSIONS.map((extension) => join(folder, `balancer.config.${extension}`)).find((path) => existsSync(path))
}

/** Reads the named file, else that of the folder; undefined when the folder has none. Throws ERR_CONFIG when it can't be read. */
export async function loadConfig({ file, folder, pm2 }: LoadOptions): Promise<LoadedConfig | undefined> {
  const path = file === undefined ? findConfig(folder) : resolve(folder, file)
  if (path === undefined) return undefined
  const stats = statsOf(path)
  if (stats === undefined) throw new BalancerError('ERR_CONFIG', `There is no config file ${path}`, { source: 'config' })
  if (stats.isDirectory())
    throw new BalancerError('ERR_CONFIG', `${path} is a folder, not a config file: name the file in it`, { source: 'config' })
  if (isPm2File(path)) return importPm2(path, { ...pm2, cwd: folder })
  const config = await read(path)
  if (!path.endsWith('.json') && !exportsSomething(path))
    throw new BalancerError('ERR_CONFIG', `${path} exports no config: write 'export default { … }' in it`, { source: 'config' })
  return { config, file: path, folder: dirname(path) }
}

/** Reads a file for PM2, and converts it. */
export async function importPm2(path: string, options: ImportOptions): Promise<LoadedConfig & { pm2: Pm2Import }> {
  const { importPm2File } = await import('./pm2/import.ts')
  const pm2 = await importPm2File(path, read, options)
  return { config: pm2.config, file: path, folder: dirname(path), pm2 }
}

async function read(path: string): Promise<unknown> {
  // The config imports the balancer that reads it, so `import … from '@switchyard/balancer'` works even where it is not installed.
  const own = fileURLToPath(new URL(`../index${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url))
  try {
    const jiti = freshJiti(path, [own], {
      interopDefault: true,
      alias: { '@switchyard/balancer': own },
      nativeModules: ['@switchyard/balancer'],
    })
    // Node caches where a link has led, and a deployment may have moved it.
    const config: unknown = await jiti.import(realpathSync(path), { default: true })
    return typeof config === 'function' ? await config() : config
  } catch (cause) {
    throw new BalancerError('ERR_CONFIG', `${path} can't be read: ${reasonOf(cause, path)}`, { source: 'config', cause })
  }
}

/** Whether the file has a default export or CommonJS exports. */
function exportsSomething(path: string): boolean {
  return /\bdefault\b|\bexports\b/.test(readFileSync(path, 'utf8'))
}

/** The message of an error on one line, with the line number in the config. */
function reasonOf(cause: unknown, path: string): string {
  if (!(cause instanceof Error)) return String(cause)
  const reason = cause.message.trim().replaceAll(/\s*\n\s*/g, ' ')
  const [, afterPath = ''] = (cause.stack ?? '').split(`${path}:`, 2)
  const [line] = /^\d+/.exec(afterPath) ?? []
  return line === undefined || reason.includes(path) ? reason : `${reason} (line ${line})`
}

/** undefined: the path does not exist, or this user has no access. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Calls `act` with the variables in the environment, and removes them afterwards. */
export async function withVariables<T>(
  variables: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv,
  act: () => Promise<T>,
): Promise<T> {
  Object.assign(env, variables)
  try {
    return await act()
  } finally {
    for (const name of Object.keys(variables)) delete env[name]
  }
}
