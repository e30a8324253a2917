// Recognises a file written for PM2. A user who comes from PM2 then reads what to do, not that an app or a config is missing.

import { closeSync, openSync, readSync } from 'node:fs'
import { basename, join } from 'node:path'

/** The names in PM2's documentation. */
const USUAL_NAMES = ['ecosystem.config', 'ecosystem', 'pm2.config', 'process'].flatMap((name) =>
  ['js', 'cjs', 'mjs', 'json', 'yml', 'yaml'].map((extension) => `${name}.${extension}`),
)
/** Endings that PM2 accepts under any name. */
const ENDINGS = /(?:\.config\.[cm]?js|\.json|\.ya?ml)$/i
const APPS_KEY = /(?:^|[\s{,"'.])apps["']?\s*[:=]/
const SCRIPT_KEY = /(?:^|[\s{,"'])script["']?\s*:\s*["'`]?([^"'`,\s}]+)/
const INSTANCES_KEY = /(?:^|[\s{,"'])instances["']?\s*:\s*["']?(\d+)/
/** Such files are short. The rest of a longer one is not read. */
const MAX_BYTES = 64 * 1024

/** Two sentences: that the file is PM2's, and what to do instead. undefined: it is not. The file is read, not run. */
export function pm2Advice(path: string): string | undefined {
  const name = basename(path)
  const isUsual = USUAL_NAMES.includes(name)
  if (!isUsual && !ENDINGS.test(name)) return undefined
  const text = beginningOf(path)
  const [, script] = SCRIPT_KEY.exec(text) ?? []
  if (script === undefined || !(isUsual || APPS_KEY.test(text))) return undefined
  // `script` may also name another command, or compute a path.
  const app = /\.[cm]?[jt]s$/.test(script) ? script : 'server.js'
  const count = Number(INSTANCES_KEY.exec(text)?.[1] ?? 0)
  return [
    `${path} is a file for PM2, and the balancer can't run or read it.`,
    `  Start the app that it names: 'balancer start ${app}${count > 0 ? ` -i ${count}` : ''}'; or write a balancer.config.ts: export default { app: '${app}' }`,
  ].join('\n')
}

/** The advice for the first PM2 file in a folder. */
export function pm2AdviceIn(folder: string): string | undefined {
  for (const name of USUAL_NAMES) {
    const advice = pm2Advice(join(folder, name))
    if (advice !== undefined) return advice
  }
  return undefined
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
