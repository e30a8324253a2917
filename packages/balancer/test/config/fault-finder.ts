// Resolves faulty configs for the tests of this folder, and gives what was wrong with them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { atSuiteEnd } from '../../../../test/suite.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { BalancerError } from '../../src/errors.ts'
import { loadCron } from '../../src/jobs/cron.ts'

await loadCron()

/** The folder of the configs. It has one app, server.js. */
export const folder = mkdtempSync(join(tmpdir(), 'switchyard-config-'))
writeFileSync(join(folder, 'server.js'), '')
atSuiteEnd(() => rmSync(folder, { recursive: true }))

const userFiles: Record<string, string> = {
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nwww:x:33:34::/:/bin/sh\n',
  '/etc/group': 'root:x:0:\n',
}

/** One test of a table: a config without `app`, and its faults. */
export type FaultCase = [name: string, config: object, faults: string[]]

/** The error of a config on a machine with two users, for a balancer that runs as `user`. */
export function errorOf(config: unknown, env: NodeJS.ProcessEnv = {}, user = 0): BalancerError {
  try {
    const users = { own: () => user, read: (path: string) => userFiles[path] }
    resolveSettings(config, { folder, env, cpus: () => 4, users })
  } catch (error) {
    assert.instance(error, BalancerError)
    return error as BalancerError
  }
  throw new Error('no fault was found')
}

/** The faults of a config that runs server.js, one line each. */
export function faultsOf(config: object, env?: NodeJS.ProcessEnv): string[] {
  const lines = errorOf({ app: 'server.js', ...config }, env).message.split('\n')
  return lines.slice(1).map((line) => line.trim())
}
