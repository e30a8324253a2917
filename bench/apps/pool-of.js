// Which pool a path belongs to: its first word. Every contender that routes is told to route so, and every app holds it to that.

/** `/a-7/items` belongs to pool `a`; `/` to any. */
export function poolOf(path) {
  return /^\/([a-z]+)/.exec(path)?.[1]
}
