// Makes the name of this package known to the app, in the way that the running version of Node has.

import { readFileSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { isOwn, resolve } from './resolve-hook.ts'

/** What the types of the oldest Node that is supported don't have. */
interface Hooks {
  /** From Node 22.15 on. */
  readonly registerHooks?: (hooks: { resolve: typeof resolve }) => unknown
  /** Every `require` asks it. */
  _resolveFilename(request: string, ...rest: unknown[]): string
}

/** To be called before the app is loaded. `entry`: the app's first file. */
export function knowOwnName(entry: string | undefined): void {
  const hooks = module as unknown as Hooks
  if (hooks.registerHooks !== undefined) return void hooks.registerHooks({ resolve })
  const { _resolveFilename: resolveFilename } = hooks
  const { resolve: resolveHere } = createRequire(import.meta.url)
  hooks._resolveFilename = function (request, ...rest) {
    return isOwn(request) ? resolveHere(request) : Reflect.apply(resolveFilename, this, [request, ...rest])
  }
  // Here the hook runs in a thread of its own, of some megabytes: not for apps that begin with `require`.
  if (entry !== undefined && beginsAsModule(entry)) module.register(import.meta.resolve('@switchyard/worker-runtime/resolve-hook'))
}

/** Is the file an ES module? TypeScript counts as one. */
function beginsAsModule(entry: string): boolean {
  switch (extname(entry)) {
    case '.cjs':
    case '.cts':
      return false
    case '.js':
    case '':
      return typeOf(dirname(entry)) === 'module' || /^\s*(import|export)\b/m.test(readText(entry))
    default:
      return true
  }
}

/** What the nearest package.json says of its files. */
function typeOf(folder: string): unknown {
  const text = readText(join(folder, 'package.json'))
  if (text === '') return dirname(folder) === folder ? undefined : typeOf(dirname(folder))
  try {
    return (JSON.parse(text) as { type?: unknown }).type
  } catch {
    return undefined
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
