// Files for PM2 in folders of their own, imported with a fixed number of cores. Paths in results start from the folder.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { assert, atSuiteEnd } from '../../../../../test/suite.ts'
import { importPm2 } from '../../../src/config/load-config.ts'
import type { Pm2Choice } from '../../../src/config/pm2/convert.ts'
import type { Finding, FindingState } from '../../../src/config/pm2/finding.ts'
import type { Pm2Import } from '../../../src/config/pm2/import.ts'
import { loadCronFor } from '../../../src/config/pool/job-options.ts'
import { resolveSettings } from '../../../src/config/resolve.ts'
import { BalancerError } from '../../../src/errors.ts'

/** Apps that the files name. */
export const APPS: Readonly<Record<string, string>> = {
  'app.js': "require('node:http').createServer().listen(process.env.PORT)",
  'api.js': "require('express')().listen(3000)",
  'worker.js': "require('./queue')",
  'queue.js': 'setInterval(() => {}, 1000) // never calls listen()',
  'job.js': 'console.log("done")',
  'web.ts': "import { createServer } from 'node:http'\ncreateServer().listen(1)",
}

const USERS = {
  own: () => 0,
  read: (path: string) => (path === '/etc/passwd' ? 'nobody:x:65534:65534::/:\nwww-data:x:33:33::/:\n' : 'nogroup:x:65534:\n'),
}

export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-pm2-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

export interface Imported {
  readonly config: unknown
  readonly findings: readonly Finding[]
  readonly leftOut: readonly string[]
  /** `app.option`, by state. */
  of(state: FindingState): string[]
}

/** Writes the text as a file beside the apps and imports it. */
export async function imported(
  text: string,
  choice: Pm2Choice = {},
  name = 'ecosystem.config.js',
  more: Readonly<Record<string, string>> = {},
): Promise<Imported> {
  const folder = folderWith({ ...APPS, ...more, [name]: text })
  const { pm2 } = await importPm2(join(folder, name), { ...choice, cwd: folder, cpus: () => 4 })
  assert.is(await faultsOf(pm2, folder), undefined)
  const { config, findings, leftOut } = JSON.parse(JSON.stringify(pm2).replaceAll(folder, '.')) as Imported
  return {
    config,
    findings,
    leftOut,
    of: (state) =>
      findings.filter((finding) => finding.state === state).map(({ app, option }) => (app === undefined ? option : `${app}.${option}`)),
  }
}

/** The faults that the config has, except apps that do not exist. */
async function faultsOf({ config, origins }: Pm2Import, folder: string): Promise<string | undefined> {
  await loadCronFor(config)
  try {
    resolveSettings(config, { folder, env: {}, users: USERS, origins })
  } catch (error) {
    if (!(error instanceof BalancerError) || error.code !== 'ERR_APP_NOT_FOUND') return (error as Error).message
  }
  return undefined
}
