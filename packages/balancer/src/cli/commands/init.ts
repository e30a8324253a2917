// `balancer init`: looks at the app in this folder, writes a config for it, and prints what to do next.

import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { findConfig } from '../../config/load-config.ts'
import { whyNoApp } from '../../config/pool/app.ts'
import { readPackageFile } from '../../config/project/package-file.ts'
import { BalancerError } from '../../errors.ts'
import { adviceFor } from '../init/app-lines.ts'
import { configText } from '../init/config-text.ts'
import { findEntry, namedEntry } from '../init/entry.ts'
import { type Project, readProject } from '../init/project.ts'
import type { CliIo } from '../io.ts'
import { printable } from '../printable.ts'

export interface InitOptions {
  /** Entry file of the app. Default: found by package.json and by name. */
  app?: string | undefined
  /** Overwrite a config that is there. */
  force?: boolean | undefined
  /** Print the config instead of writing it. */
  print?: boolean | undefined
}

/** Resolves with the exit code. Throws ERR_APP_NOT_FOUND when there is no app, ERR_CONFIG when there is a config already. */
export async function init({ app, force, print }: InitOptions, { cwd, stdout, stderr }: CliIo): Promise<number> {
  const packageFile = readPackageFile(cwd)
  const entry = app === undefined ? findEntry(cwd, packageFile) : namedEntry(cwd, app)
  if (entry === undefined) throw new BalancerError('ERR_APP_NOT_FOUND', noEntry(cwd, app, packageFile.exists), { source: 'config' })
  const project = readProject(cwd, entry, packageFile)
  const text = configText(project)
  if (print === true) {
    stdout.write(text)
    stderr.write(printable(`${summary(project)}\n`))
    return 0
  }
  const file = fileFor(project, force === true)
  try {
    writeFileSync(file, text, { flag: force === true ? 'w' : 'wx' })
  } catch (cause) {
    throw new BalancerError('ERR_CONFIG', `${file} can't be written: ${(cause as Error).message}`, { source: 'config', cause })
  }
  const next = "Next: 'balancer check' prints what the config means, and 'balancer start' runs the app."
  stdout.write(printable(`Wrote ${basename(file)}.\n\n${summary(project)}\n\n${next}\n`))
  return 0
}

/** The path to write. An existing config keeps its name, since a second one would be ignored. */
function fileFor({ folder, configName }: Project, isForced: boolean): string {
  const existing = findConfig(folder)
  if (existing === undefined) return join(folder, configName)
  const name = basename(existing)
  if (!isForced)
    throw new BalancerError(
      'ERR_CONFIG',
      `There is a config already: ${existing}. 'balancer init --print' prints the new one, and 'balancer init --force' overwrites it`,
      { source: 'config' },
    )
  if (/\.(cjs|json)$/.test(name))
    throw new BalancerError('ERR_CONFIG', `${existing} has another format than ${configName}: remove it, and run 'balancer init' again`, {
      source: 'config',
    })
  return existing
}

function summary(project: Project): string {
  const { entry, found } = project
  const facts = [
    `app: ${entry.app}${entry.args.length > 0 ? ` ${entry.args.join(' ')}` : ''}, found by ${entry.from}`,
    `uses: ${found.size === 0 ? 'none of the packages that need settings' : [...found].join(', ')}`,
  ]
  const advice = adviceFor(project).map(({ why, lines }) => [why, ...lines.map((line) => `    ${line}`)].join('\n'))
  return [facts.join('\n'), ...advice].join('\n\n')
}

function noEntry(folder: string, app: string | undefined, hasPackage: boolean): string {
  if (app !== undefined) {
    const why = whyNoApp(app, folder)
    return `${why.charAt(0).toUpperCase()}${why.slice(1)}`
  }
  const looked = hasPackage ? "The scripts and 'main' of package.json name no file that is there" : 'There is no package.json here'
  return `No app was found in ${folder}. ${looked}, and there is no server.js, app.js, index.js or main.js. Name the file: 'balancer init path/to/server.js'`
}
