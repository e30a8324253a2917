// A file of environment variables (`--env-file`), for the config and the workers. The environment itself has the last word, as with Node's own option of that name.

import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { BalancerError } from '../errors.ts'

/** The variables of a file that the environment does not have. Throws ERR_CONFIG when it can't be read. */
export function readEnvFile(path: string, env: NodeJS.ProcessEnv): Record<string, string> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new BalancerError('ERR_CONFIG', `The environment file can't be read: ${(cause as Error).message}`, { source: 'config', cause })
  }
  const variables = parseEnv(text) as Record<string, string>
  return Object.fromEntries(Object.entries(variables).filter(([name]) => env[name] === undefined))
}

/** Runs `act` while the variables are in the environment, where a config looks for them. */
export async function withVariables<T>(variables: Record<string, string>, env: NodeJS.ProcessEnv, act: () => Promise<T>): Promise<T> {
  Object.assign(env, variables)
  try {
    return await act()
  } finally {
    for (const name of Object.keys(variables)) delete env[name]
  }
}
