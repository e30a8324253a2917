// The units that `balancer service install` has written: finds that of a folder, writes and removes the files.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BalancerError } from '../../errors.ts'
import type { ServiceHost } from './service-host.ts'
import { folderOfUnit } from './unit-text.ts'

/** An installed service. */
export interface InstalledUnits {
  readonly name: string
  readonly isUser: boolean
  readonly folder: string
  readonly serviceFile: string
  /** undefined: it has no socket unit. */
  readonly socketFile: string | undefined
}

export interface FindUnitsOptions {
  /** undefined: the only service of the folder. */
  readonly name?: string | undefined
  /** undefined: a service of the system, or else one of the user. */
  readonly isUser?: boolean | undefined
  readonly folder: string
}

const UNIT_MODE = 0o644
const MAX_UNITS = 10_000

/** The service of the folder, or the named one. Throws ERR_SERVICE if there is none, several, or one that is not ours. */
export function findUnits({ name, isUser, folder }: FindUnitsOptions, host: ServiceHost): InstalledUnits {
  const scopes = isUser === undefined ? [false, true] : [isUser]
  const found = scopes.flatMap((scope) => unitsIn(host.unitFolder(scope), scope))
  const wanted = name?.replace(/\.(service|socket)$/, '')
  const matching = found.filter((units) => (wanted === undefined ? units.folder === folder : units.name === wanted))
  const [first, ...others] = matching
  if (first === undefined)
    throw failure(
      wanted === undefined
        ? `There is no service for ${folder}. 'balancer service install${isUser ? ' --user' : ''}' makes one; --name NAME finds one of another folder`
        : `There is no service '${wanted}' that 'balancer service install' has made`,
    )
  if (others.length > 0)
    throw failure(
      `There are several services for ${folder}: name one, with --name ${matching.map((units) => units.name).join(' or --name ')}`,
    )
  return first
}

/** The units of ours in a folder of systemd. */
export function unitsIn(unitFolder: string, isUser: boolean): InstalledUnits[] {
  return namesIn(unitFolder).flatMap((file) => {
    const serviceFile = join(unitFolder, file)
    const folder = folderOfUnit(textOf(serviceFile))
    if (folder === undefined) return []
    const socketFile = serviceFile.replace(/\.service$/, '.socket')
    return [
      { name: file.replace(/\.service$/, ''), isUser, folder, serviceFile, socketFile: existsSync(socketFile) ? socketFile : undefined },
    ]
  })
}

/** Writes each file under another name first, so that systemd never sees half of one. Throws ERR_SERVICE. */
export function writeUnits(files: ReadonlyMap<string, string>): void {
  for (const [path, text] of files) {
    const temporary = `${path}.new`
    try {
      mkdirSync(join(path, '..'), { recursive: true })
      writeFileSync(temporary, text, { mode: UNIT_MODE })
      renameSync(temporary, path)
    } catch (cause) {
      rmSync(temporary, { force: true })
      throw failure(`${path} can't be written: ${(cause as Error).message}`, cause)
    }
  }
}

/** Throws ERR_SERVICE. */
export function removeUnits(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      rmSync(path, { force: true })
    } catch (cause) {
      throw failure(`${path} can't be removed: ${(cause as Error).message}`, cause)
    }
  }
}

function failure(message: string, cause?: unknown): BalancerError {
  return new BalancerError('ERR_SERVICE', message, { source: 'system', cause })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.service'))
      .slice(0, MAX_UNITS)
      .sort()
  } catch {
    return []
  }
}

/** Empty if it can't be read, or is a link to nothing: a masked unit. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
