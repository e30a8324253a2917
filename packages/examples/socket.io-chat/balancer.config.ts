import { setupPrimary } from '@socket.io/cluster-adapter'
import { defineConfig, leastInFlight, sticky, ticket } from '@switchyard/balancer'

// socket.io's own adapter: carries messages of a room to the sockets of the other workers.
setupPrimary()

export default defineConfig({
  app: './server.ts',
  // Every worker compiles its TypeScript, which takes a while on a small machine.
  startTimeoutMs: 60_000,
  listen: 3000,
  pools: { web: { workers: 4 } },
  routes: [{ path: '/socket.io/*', policy: sticky({ by: ticket(), otherwise: leastInFlight() }) }, { path: '/*' }],
  drainTimeoutMs: 2_000,
})
