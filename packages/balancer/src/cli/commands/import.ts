// `balancer import`: converts a file for PM2 into a config, prints or writes it, and says what becomes of each option.

import { existsSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { findConfig, importPm2 } from '../../config/load-config.ts'
import type { Pm2Import } from '../../config/pm2/import.ts'
import { findPm2File } from '../../config/pm2-file.ts'
import { loadCronFor } from '../../config/pool/job-options.ts'
import { readPackageFile } from '../../config/project/package-file.ts'
import { resolveSettings } from '../../config/resolve.ts'
import { BalancerError } from '../../errors.ts'
import { configText } from '../import/config-text.ts'
import { importReport } from '../import/import-report.ts'
import type { CliIo } from '../io.ts'
import { printable } from '../printable.ts'

export interface ImportCommandOptions {
  /** Default: the file for PM2 in this folder. */
  readonly file?: string | undefined
  readonly env?: string | undefined
  /** Names of apps, separated by commas. */
  readonly only?: string | undefined
  /** Write the config instead of printing it. */
  readonly write?: boolean | undefined
  /** Overwrite a config that is there. */
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/** Resolves with the exit code. Throws ERR_CONFIG when the file has faults, or when there is a config already. */
export async function importFile(options: ImportCommandOptions, { cwd, env, stdout, stderr }: CliIo): Promise<number> {
  const file = options.file === undefined ? findPm2File(cwd) : resolve(cwd, options.file)
  if (file === undefined) throw failure(`There is no file for PM2 in ${cwd}: name it, as in 'balancer import ecosystem.config.js'`)
  if (!existsSync(file)) throw failure(`There is no file ${file}`)
  const only = options.only?.split(',').map((name) => name.trim())
  const { pm2 } = await importPm2(file, { env: options.env, only, cwd, configFolder: cwd })
  await check(pm2, file, env)
  const target = join(cwd, nameFor(cwd))
  const text = configText(pm2, { folder: cwd, file, command: commandOf(options, file), env })
  if (options.write === true) write(text, target, cwd, options.force === true)
  if (options.json === true) {
    const { config, findings, leftOut } = pm2
    const result = { file, config, options: findings, leftOut, ...(options.write === true && { written: target }) }
    stdout.write(`${JSON.stringify({ result })}\n`)
    return 0
  }
  const report = printable(importReport(pm2, file))
  if (options.write !== true) {
    stdout.write(text)
    stderr.write(`${report}\n`)
    return 0
  }
  const next = "Next: 'balancer check' prints what the config means, and 'balancer start' runs the apps."
  stdout.write(`Wrote ${basename(target)}.\n\n${report}\n\n${next}\n`)
  return 0
}

/** Throws ERR_CONFIG when the config would have faults, such as a cron pattern that makes no sense. Apps that a build makes may be missing. */
async function check({ config, origins }: Pm2Import, file: string, env: NodeJS.ProcessEnv): Promise<void> {
  await loadCronFor(config)
  try {
    resolveSettings(config, { folder: dirname(file), file, env, origins })
  } catch (error) {
    if (!(error instanceof BalancerError) || error.code !== 'ERR_APP_NOT_FOUND') throw error
  }
}

function write(text: string, target: string, cwd: string, isForced: boolean): void {
  const existing = findConfig(cwd)
  if (existing !== undefined && !isForced)
    throw failure(
      `There is a config already: ${existing}. Without --write the new one is printed, and --force overwrites ${basename(target)}`,
    )
  if (existing !== undefined && existing !== target)
    throw failure(`${existing} would still be read, and not ${basename(target)}: remove it, and run the command again`)
  try {
    writeFileSync(target, text, { flag: isForced ? 'w' : 'wx' })
  } catch (cause) {
    throw failure(`${target} can't be written: ${(cause as Error).message}`, cause)
  }
}

/** The config imports an ES module, so it must be one itself for the compiler and for editors. */
function nameFor(cwd: string): string {
  const { isModule, devDependencies, dependencies } = readPackageFile(cwd)
  const hasTypescript = existsSync(join(cwd, 'tsconfig.json')) || devDependencies.has('typescript') || dependencies.has('typescript')
  return `balancer.config.${isModule ? '' : 'm'}${hasTypescript ? 'ts' : 'js'}`
}

function commandOf({ env, only }: ImportCommandOptions, file: string): string {
  return [
    'balancer import',
    basename(file),
    ...(env === undefined ? [] : [`--env ${env}`]),
    ...(only === undefined ? [] : [`--only ${only}`]),
  ].join(' ')
}

function failure(message: string, cause?: unknown): BalancerError {
  return new BalancerError('ERR_CONFIG', message, { source: 'config', cause })
}
