import { defineConfig, leastInFlight } from '@switchyard/balancer'

export default defineConfig({
  app: './server.js',
  listen: 3000,
  pools: { web: { workers: 4 } },
  // Connections that stay open for long are spread by counting them.
  policy: leastInFlight(),
  drainTimeoutMs: 2_000,
})
