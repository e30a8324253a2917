// The name of this package leads, in every module of the app, to the runtime that was preloaded: another copy would know nothing of this worker. So an app can import
// the runtime wherever the balancer is installed, and one that it has installed itself is passed over.

import type { ResolveHookContext } from 'node:module'

const NAME = '@switchyard/worker-runtime'

/** Is it this package, or one of its exports? */
export function isOwn(specifier: string): boolean {
  return specifier === NAME || specifier.startsWith(`${NAME}/`)
}

/** For `module.registerHooks`, which wants the answer at once, and for `module.register`, which takes a promise. */
export function resolve<Answer>(
  specifier: string,
  context: ResolveHookContext,
  next: (specifier: string, context?: ResolveHookContext) => Answer,
): Answer {
  // From inside the package its own name leads to itself.
  return next(specifier, isOwn(specifier) ? { ...context, parentURL: import.meta.url } : context)
}
