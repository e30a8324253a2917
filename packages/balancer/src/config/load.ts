// Finds and reads the config file: balancer.config.{ts,mts,js,mjs,cjs,json} in the current folder, or the file that was named. Only that file: no rc files,
// no .env, no package.json, nothing of the user's home.

import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig as loadWithC12 } from 'c12'
import { BalancerError } from '../errors.ts'
import { findConfig } from './find.ts'
import { freshJiti } from './fresh-jiti.ts'

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
  if (!existsSync(path)) throw new BalancerError('ERR_CONFIG', `There is no config file ${path}`, { source: 'config' })
  return { config: await read(path), file: path, folder: dirname(path) }
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
    throw new BalancerError('ERR_CONFIG', `${path} can't be read: ${reasonOf(cause)}`, { source: 'config', cause })
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
