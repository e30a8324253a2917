// The package.json of the folder, as far as `balancer init` and `balancer import` use it. What is not as expected counts as missing.

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BalancerError } from '../../errors.ts'

const MAX_BYTES = 1024 * 1024

export interface PackageFile {
  readonly exists: boolean
  readonly isModule: boolean
  readonly main: string | undefined
  readonly scripts: ReadonlyMap<string, string>
  /** What the app needs when it runs. */
  readonly dependencies: ReadonlySet<string>
  readonly devDependencies: ReadonlySet<string>
}

/** Throws ERR_CONFIG when the file is there and is no JSON object. */
export function readPackageFile(folder: string): PackageFile {
  const file = join(folder, 'package.json')
  const text = textOf(file)
  const found = text === undefined ? {} : parse(text, file)
  return {
    exists: text !== undefined,
    isModule: found.type === 'module',
    main: typeof found.main === 'string' && found.main !== '' ? found.main : undefined,
    scripts: new Map(Object.entries(recordOf(found.scripts)).filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
    dependencies: new Set([...Object.keys(recordOf(found.dependencies)), ...Object.keys(recordOf(found.optionalDependencies))]),
    devDependencies: new Set(Object.keys(recordOf(found.devDependencies))),
  }
}

/** The text of a file of bounded size; undefined: there is none that can be read. */
export function textOf(file: string, maxBytes = MAX_BYTES): string | undefined {
  try {
    const stats = statSync(file)
    return stats.isFile() && stats.size <= maxBytes ? readFileSync(file, 'utf8') : undefined
  } catch {
    return undefined
  }
}

function parse(text: string, file: string): Record<string, unknown> {
  try {
    // npm writes no byte order mark, but editors do.
    return recordOf(JSON.parse(text.replace(/^\uFEFF/, '')))
  } catch (cause) {
    throw new BalancerError('ERR_CONFIG', `${file} can't be read: ${(cause as Error).message}`, { source: 'config', cause })
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}
