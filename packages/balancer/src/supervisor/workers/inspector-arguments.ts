// Node options of a worker that keep its inspector, when the primary opens it, to the primary alone. Any user of the machine can connect to the
// inspector's port, and by default Node publishes the secret part of its URL there, at /json/list.

import type { PoolSettings } from '../../settings.ts'

const OPENS = /^--inspect(-brk|-wait)?(=|$)/

type Arguments = Pick<PoolSettings, 'execArgv' | 'env'>

/** Do the worker's own options open the inspector? Then it is a debugging session, and these options stay as they are. */
export function isInspected({ execArgv, env }: Arguments): boolean {
  const fromEnvironment = env.NODE_OPTIONS ?? process.env.NODE_OPTIONS ?? ''
  return [...execArgv, ...fromEnvironment.split(/\s+/)].some((argument) => OPENS.test(argument))
}

/** The secret part of the URL is printed on stderr, and published nowhere else. */
export function inspectorArguments(worker: Arguments): string[] {
  return isInspected(worker) ? [] : ['--inspect-publish-uid=stderr']
}

/** node:cluster sets an inspector port for each worker that has an inspector option. 0 means any free port, so that no two processes clash. */
export function inspectorSettings(worker: Arguments): { readonly inspectPort: number | undefined } {
  return { inspectPort: isInspected(worker) ? undefined : 0 }
}
