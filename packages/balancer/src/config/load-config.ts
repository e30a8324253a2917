// Finds and reads the config file: balancer.config.{ts,mts,js,mjs,cjs,json} in the current folder, or the file that was named. Only that file: no rc files,
// no .env, no package.json, nothing of the user's home.

import { readFileSync, type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig as loadWithC12 } from 'c12'
import { BalancerError } from '../errors.ts'
import { findConfig } from './find.ts'
import { freshJiti } from './fresh-jiti.ts'
import { pm2Advice } from './pm2-file.ts'

/** What a config file exports, unchecked, and the folder that its paths start from. */
export interface LoadedConfig {
  config: unknown
  file: string
  folder: string
}

/** Reads the named file, or else the one in the folder; undefined when there is none. Throws ERR_CONFIG when it can't be read. */
export async function loadConfig({ file, folder }: { file?: string | undefined; folder: string }): Promise<LoadedConfig | undefined> {
  const path = file === undefined ? findConfig(folder) : resolve(folder, file)
  if (path === undefined) return undefined
  const stats = statsOf(path)
  if (stats === undefined) throw new BalancerError('ERR_CONFIG', `There is no config file ${path}`, { source: 'config' })
  if (stats.isDirectory())
    throw new BalancerError('ERR_CONFIG', `${path} is a folder, not a config file: name the file in it`, { source: 'config' })
  const advice = pm2Advice(path)
  if (advice !== undefined) throw new BalancerError('ERR_CONFIG', advice, { source: 'config' })
  const config = await read(path)
  if (!path.endsWith('.json') && !exportsSomething(path))
    throw new BalancerError('ERR_CONFIG', `${path} exports no config: write 'export default { … }' in it`, { source: 'config' })
  return { config, file: path, folder: dirname(path) }
}

async function read(path: string): Promise<unknown> {
  // The config gets the very balancer that reads it, wherever that is installed: `import … from '@switchyard/balancer'` works without an installation beside it.
  const own = fileURLToPath(new URL(`../index${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url))
  try {
    const { config } = await loadWithC12({
      name: 'balancer',
      cwd: dirname(path),
      configFile: path,
      configFileRequired: true,
      rcFile: false,
      globalRc: false,
      dotenv: false,
      packageJson: false,
      extend: false,
      giget: false,
      envName: false,
      jiti: freshJiti(path, [own], {
        interopDefault: true,
        alias: { '@switchyard/balancer': own },
        nativeModules: ['@switchyard/balancer'],
      }),
      // c12 would copy and merge; policies are kept as they are.
      merger: (...sources) => sources.find((source) => source !== undefined && source !== null) ?? {},
    })
    return config
  } catch (cause) {
    throw new BalancerError('ERR_CONFIG', `${path} can't be read: ${reasonOf(cause, path)}`, { source: 'config', cause })
  }
}

/** False: it has neither a default export nor CommonJS exports. */
function exportsSomething(path: string): boolean {
  return /\bdefault\b|\bexports\b/.test(readFileSync(path, 'utf8'))
}

/** What was thrown, on one line, with the line of the config in which it was. */
function reasonOf(cause: unknown, path: string): string {
  if (!(cause instanceof Error)) return String(cause)
  const reason = cause.message.trim().replaceAll(/\s*\n\s*/g, ' ')
  const [, afterPath = ''] = (cause.stack ?? '').split(`${path}:`, 2)
  const [line] = /^\d+/.exec(afterPath) ?? []
  return line === undefined || reason.includes(path) ? reason : `${reason} (line ${line})`
}

/** Undefined: there is nothing, or this user may not see it. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
