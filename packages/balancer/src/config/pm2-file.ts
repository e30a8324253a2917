// Recognises a file that was written for PM2, so that a user who comes from there is told what to do instead of what an app or a config lacks.

import { closeSync, openSync, readSync } from 'node:fs'
import { basename, join } from 'node:path'

/** The names of PM2's documentation. */
const usualNames = ['ecosystem.config', 'ecosystem', 'pm2.config', 'process'].flatMap((name) =>
  ['js', 'cjs', 'mjs', 'json', 'yml', 'yaml'].map((extension) => `${name}.${extension}`),
)
/** What PM2 takes for its own under any name. */
const endings = /(?:\.config\.[cm]?js|\.json|\.ya?ml)$/i
const appsKey = /(?:^|[\s{,"'.])apps["']?\s*[:=]/
const scriptKey = /(?:^|[\s{,"'])script["']?\s*:\s*["'`]?([^"'`,\s}]+)/
const instancesKey = /(?:^|[\s{,"'])instances["']?\s*:\s*["']?(\d+)/
/** Its files are short; more is not read. */
const maxBytes = 64 * 1024

/** What the file is and what to do instead, in two sentences; undefined: it is none of PM2's. The file is looked at and not run. */
export function pm2Advice(path: string): string | undefined {
  const name = basename(path)
  const isUsual = usualNames.includes(name)
  if (!isUsual && !endings.test(name)) return undefined
  const text = beginningOf(path)
  const [, script] = scriptKey.exec(text) ?? []
  if (script === undefined || !(isUsual || appsKey.test(text))) return undefined
  // It may also name another command, or compute the path.
  const app = /\.[cm]?[jt]s$/.test(script) ? script : 'server.js'
  const count = Number(instancesKey.exec(text)?.[1] ?? 0)
  return [
    `${path} is a file for PM2, and the balancer can't run or read it.`,
    `  Start the app that it names: 'balancer start ${app}${count > 0 ? ` -i ${count}` : ''}'; or write a balancer.config.ts: export default { app: '${app}' }`,
  ].join('\n')
}

/** The same of the first PM2 file in a folder. */
export function pm2AdviceIn(folder: string): string | undefined {
  for (const name of usualNames) {
    const advice = pm2Advice(join(folder, name))
    if (advice !== undefined) return advice
  }
  return undefined
}

/** Empty: there is nothing to read. */
function beginningOf(path: string): string {
  try {
    const descriptor = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(maxBytes)
      return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, maxBytes, 0))
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return ''
  }
}
