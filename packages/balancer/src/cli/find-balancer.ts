// Finds the running balancer that a command talks to: by the path of its control socket, or by folder and config.

import { dirname, resolve } from 'node:path'
import { findConfig } from '../config/load-config.ts'
import { answers, ControlClient } from '../control/control-client.ts'
import { controlPathsOf } from '../control/control-path.ts'
import { BalancerError } from '../errors.ts'
import type { CliIo } from './io.ts'

export interface FindBalancerOptions {
  config?: string | undefined
  control?: string | undefined
}

/**
 * A client of that balancer. The default paths are tried before the config is read: the config may have faults by now, or be slow to load.
 * Throws ERR_NOT_RUNNING.
 */
export async function findBalancer({ config, control }: FindBalancerOptions, io: Pick<CliIo, 'cwd' | 'env'>): Promise<ControlClient> {
  if (control !== undefined) return new ControlClient(resolve(io.cwd, control))
  const file = config === undefined ? undefined : resolve(io.cwd, config)
  for (const path of controlPathsOf({ file, folder: io.cwd }, io.env)) if (await answers(path)) return new ControlClient(path)
  const named = await controlOfConfig(file ?? findConfig(io.cwd))
  if (typeof named === 'string') return new ControlClient(named)
  throw new BalancerError('ERR_NOT_RUNNING', advice(file ?? io.cwd, named === false), { source: 'system', retryable: true })
}

/** The option `control` of the config. Faults of other options don't matter. */
async function controlOfConfig(file: string | undefined): Promise<string | false | undefined> {
  if (file === undefined) return undefined
  try {
    const { loadConfig } = await import('../config/load-config.ts')
    const { control } = ((await loadConfig({ file, folder: dirname(file) }))?.config ?? {}) as { control?: unknown }
    if (typeof control === 'string') return resolve(dirname(file), control)
    return control === false ? false : undefined
  } catch {
    return undefined
  }
}

function advice(where: string, isOff: boolean): string {
  return [
    `No balancer runs for ${where}${isOff ? ", or it can't be reached: its config has control: false" : ''}.`,
    "  'balancer start' starts one. If one does run: use the folder, user and --config that it was started with, or name its socket with --control",
  ].join('\n')
}
