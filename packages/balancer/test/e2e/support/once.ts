// What several tests share, started by the first of them that runs.

/** Returns a function whose first call calls `start`; every call resolves with the result of that one. */
export function once<T>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined
  return () => (started ??= start())
}
