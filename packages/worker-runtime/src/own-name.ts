// Makes this package importable from the app by its name, with the hooks that this version of Node has.

import { readFileSync } from 'node:fs'
import module, { type ResolveHookContext } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isOwn, NAME } from './resolve-hook.ts'

/** Missing in the types of the oldest supported Node. */
interface Hooks {
  /** Since Node 22.15. */
  readonly registerHooks?: (hooks: { resolve: SyncResolve }) => unknown
  /** Every `require` calls it. */
  _resolveFilename(request: string, parent: unknown, ...rest: unknown[]): string
}

interface Resolved {
  readonly url: string
}

type Next = (specifier: string, context?: ResolveHookContext) => Resolved

type SyncResolve = (specifier: string, context: ResolveHookContext, next: Next) => Resolved & { readonly shortCircuit?: boolean }

/** Must run before the app is loaded. `entry`: the app's first file. */
export function resolveOwnName(entry: string | undefined): void {
  const hooks = module as unknown as Hooks
  if (hooks.registerHooks !== undefined) return void hooks.registerHooks({ resolve: resolveFromHere() })
  // On older Node the hook for ES modules runs in a thread of its own, which takes some megabytes and a quarter of the start. So only apps get it
  // that begin as ES modules and would not find this package by themselves.
  if (entry !== undefined && beginsAsModule(entry) && !findsThisPackage(entry))
    module.register(import.meta.resolve('@switchyard/worker-runtime/resolve-hook'))
  const { _resolveFilename: resolveFilename } = hooks
  const filename = fileURLToPath(import.meta.url)
  const here = { id: filename, filename, paths: [] }
  hooks._resolveFilename = function (request, parent, ...rest) {
    return Reflect.apply(resolveFilename, this, [request, isOwn(request) ? here : parent, ...rest])
  }
}

function findsThisPackage(file: string): boolean {
  try {
    return pathToFileURL(module.createRequire(file).resolve(NAME)).href === import.meta.resolve(NAME)
  } catch {
    return false
  }
}

/** For a `require`, Node resolves from the app's file whatever parent the hook names, so the hook resolves by itself. */
function resolveFromHere(): SyncResolve {
  let isResolving = false
  return (specifier, context, next) => {
    if (isResolving || !isOwn(specifier)) return next(specifier, context)
    isResolving = true
    try {
      return { url: import.meta.resolve(specifier), shortCircuit: true }
    } finally {
      isResolving = false
    }
  }
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

/** The `type` of the nearest package.json. */
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
