// Makes the name of this package known to the app, in the way that the running version of Node has.

import { readFileSync } from 'node:fs'
import module from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isOwn, resolve } from './resolve-hook.ts'

/** What the types of the oldest Node that is supported don't have. */
interface Hooks {
  /** From Node 22.15 on. */
  readonly registerHooks?: (hooks: { resolve: typeof resolve }) => unknown
  /** Every `require` asks it. */
  _resolveFilename(request: string, parent: unknown, ...rest: unknown[]): string
}

/** To be called before the app is loaded. `entry`: the app's first file. */
export function knowOwnName(entry: string | undefined): void {
  const hooks = module as unknown as Hooks
  if (hooks.registerHooks !== undefined) return void hooks.registerHooks({ resolve })
  const { _resolveFilename: resolveFilename } = hooks
  const filename = fileURLToPath(import.meta.url)
  const here = { id: filename, filename, paths: [] }
  hooks._resolveFilename = function (request, parent, ...rest) {
    return Reflect.apply(resolveFilename, this, [request, isOwn(request) ? here : parent, ...rest])
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
