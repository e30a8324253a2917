// Checks the config, by reading it as a start does, and finds what it is about if there is none.

import { BalancerError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import type { Check } from './check.ts'

/** A config is code, and may wait for something. */
const READ_TIMEOUT_MS = 15_000

const NAME = 'config'

/** What a start would read. */
export interface ConfigSource {
  /** The config file, if there is one. */
  readonly file: string | undefined
  /** Reads settings and warnings. Rejects with ERR_CONFIG or ERR_APP_NOT_FOUND. */
  read(): Promise<{ readonly settings: Settings; readonly warnings: readonly string[] }>
}

export interface CheckedConfig {
  readonly check: Check
  /** undefined: there is no config, or it has faults. */
  readonly settings: Settings | undefined
}

export async function checkConfig({ file, read }: ConfigSource, timeoutMs = READ_TIMEOUT_MS): Promise<CheckedConfig> {
  if (file === undefined)
    return { check: { name: NAME, state: 'ok', found: 'there is no config in this folder; defaults are examined' }, settings: undefined }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${file} was not read within ${timeoutMs / 1000} s`)), timeoutMs)
  })
  try {
    const { settings, warnings } = await Promise.race([read(), late])
    if (warnings.length === 0) return { check: { name: NAME, state: 'ok', found: `${file} has no faults` }, settings }
    return {
      check: { name: NAME, state: 'warning', found: warnings.join('\n'), advice: 'Change the config if this is not intended.' },
      settings,
    }
  } catch (error) {
    return { check: { name: NAME, state: 'fault', found: (error as Error).message, advice: adviceFor(error, file) }, settings: undefined }
  } finally {
    clearTimeout(timer)
  }
}

function adviceFor(error: unknown, file: string): string {
  if (!(error instanceof BalancerError)) return `Look for something in ${file} that waits without an end.`
  if (error.code === 'ERR_APP_NOT_FOUND') return "Correct the path of 'app', or build the app first."
  return "Correct the config. 'balancer check' reads it again."
}
