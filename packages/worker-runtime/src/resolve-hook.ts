// Resolves the name of this package, in every module of the app, to the preloaded runtime; another copy would not know this worker. So an app can
// import the runtime wherever the balancer is installed, and a copy of its own is ignored.

import type { ResolveHookContext } from 'node:module'

export const NAME = '@switchyard/worker-runtime'

/** Does the specifier name this package, or one of its exports? */
export function isOwn(specifier: string): boolean {
  return specifier === NAME || specifier.startsWith(`${NAME}/`)
}

/** A hook of `module.register`, which runs in a thread of its own. */
export function resolve<Answer>(
  specifier: string,
  context: ResolveHookContext,
  next: (specifier: string, context?: ResolveHookContext) => Answer,
): Answer {
  // Seen from inside the package, its name resolves to itself.
  return next(specifier, isOwn(specifier) ? { ...context, parentURL: import.meta.url } : context)
}
