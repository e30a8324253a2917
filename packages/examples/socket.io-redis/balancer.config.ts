import { defineConfig, leastInFlight, sticky, ticket } from '@switchyard/balancer'

export default defineConfig({
  app: './server.ts',
  // Every worker compiles its TypeScript, which takes a while on a small machine.
  startTimeoutMs: 60_000,
  listen: 3000,
  pools: { web: { workers: 2 } },
  routes: [{ path: '/socket.io/*', policy: sticky({ by: ticket(), otherwise: leastInFlight() }) }, { path: '/*' }],
  sessions: { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' },
  secret: process.env.SWITCHYARD_SECRET ?? 'only for this example',
  control: false,
  drainTimeoutMs: 2_000,
})
