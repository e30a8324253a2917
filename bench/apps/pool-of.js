// The pool that a path belongs to: its first word. Every contender that routes is configured for it, and every app checks it.

/** `/a-7/items` belongs to pool `a`; `/` to any. */
export function poolOf(path) {
  return /^\/([a-z]+)/.exec(path)?.[1]
}
