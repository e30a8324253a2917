// With what a worker is started so that its inspector, when the primary opens it, is the primary's alone: any user of the machine may connect to its port, and
// Node tells them there, at /json/list, by what secret name.

import type { PoolSettings } from '../../settings.ts'

const OPENS = /^--inspect(-brk|-wait)?(=|$)/

type Started = Pick<PoolSettings, 'execArgv' | 'env'>

/** Is the worker debugged from its start? Then the config decides about its inspector. */
export function isInspected({ execArgv, env }: Started): boolean {
  const fromEnvironment = env.NODE_OPTIONS ?? process.env.NODE_OPTIONS ?? ''
  return [...execArgv, ...fromEnvironment.split(/\s+/)].some((argument) => OPENS.test(argument))
}

/** The name stands on stderr, and nowhere else. */
export function inspectorArguments(started: Started): string[] {
  return isInspected(started) ? [] : ['--inspect-publish-uid=stderr']
}

/** For node:cluster, which gives each worker that has options of the inspector a port: any free one, or workers would have to share. */
export function inspectorSettings(started: Started): { readonly inspectPort: number | undefined } {
  return { inspectPort: isInspected(started) ? undefined : 0 }
}
