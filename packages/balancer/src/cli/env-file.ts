// A file of environment variables (`--environment`), for the config and the workers. The environment itself has the last word, as with Node's `--env-file`: an option
// that can't be called so here, because Node 20 heeds it after the script too.

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
