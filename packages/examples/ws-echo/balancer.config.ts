import { defineConfig, leastInFlight } from '@switchyard/balancer'

export default defineConfig({
  app: './server.js',
  listen: 3000,
  pools: { web: { workers: 4 } },
  // What stays open for long is spread by counting it.
  policy: leastInFlight(),
  drainTimeoutMs: 2_000,
})
