// Two workers for an app of `sessions`: APP names it, STORE_URL is the address of Redis, if the sessions are there, and NEAR_CACHE=off
// turns the near cache off.

const { APP, NEAR_CACHE, STORE, STORE_URL } = process.env
const isOurs = STORE !== 'connect-redis'

export default {
  app: `./${APP}`,
  // On a slow machine the requests would count as heavy, and visitors would change their worker.
  pools: { web: { workers: 2, rest: 'never' } },
  sessions: {
    // On a slow machine a command may take long, and a single 503 makes the run invalid.
    commandTimeoutMs: 5_000,
    url: (isOurs && STORE_URL) || false,
    ...(NEAR_CACHE === 'off' && { nearCache: false }),
  },
}
