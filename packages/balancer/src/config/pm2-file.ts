// Recognises a file written for PM2. Such a file may stand wherever a config may: it is converted when it is read.

import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { basename, join } from 'node:path'

/** The names in PM2's documentation. */
const USUAL_NAMES = ['ecosystem.config', 'ecosystem', 'pm2.config', 'process'].flatMap((name) =>
  ['js', 'cjs', 'mjs', 'json', 'yml', 'yaml'].map((extension) => `${name}.${extension}`),
)
/** Endings that PM2 accepts under any name. */
const ENDINGS = /(?:\.config\.[cm]?js|\.json|\.ya?ml)$/i
const APPS_KEY = /(?:^|[\s{,"'.])apps["']?\s*[:=]/
const SCRIPT_KEY = /(?:^|[\s{,"'])(?:script|exec|cmd|command)["']?\s*:/
/** Such files are short. The rest of a longer one is not read. */
const MAX_BYTES = 64 * 1024

/** Is the file one for PM2? It is read, not run. */
export function isPm2File(path: string): boolean {
  const name = basename(path)
  const isUsual = USUAL_NAMES.includes(name)
  if (!isUsual && !ENDINGS.test(name)) return false
  const text = beginningOf(path)
  // A file that computes its apps has a usual name and names no script.
  return (SCRIPT_KEY.test(text) && (isUsual || APPS_KEY.test(text))) || (isUsual && name.startsWith('ecosystem') && APPS_KEY.test(text))
}

/** The first file for PM2 in a folder. */
export function findPm2File(folder: string): string | undefined {
  return USUAL_NAMES.map((name) => join(folder, name)).find((path) => existsSync(path) && isPm2File(path))
}

/** Empty when the file can't be read. */
function beginningOf(path: string): string {
  try {
    const descriptor = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(MAX_BYTES)
      return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, MAX_BYTES, 0))
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return ''
  }
}
