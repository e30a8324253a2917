import { defineConfig } from '@switchyard/balancer'

export default defineConfig({
  app: './server.ts',
  // Every worker compiles its TypeScript, which takes a while on a small machine.
  startTimeoutMs: 60_000,
  listen: 3000,
  pools: {
    web: { workers: 2 },
    heavy: { workers: 2, queue: { limit: 100, timeoutMs: 30_000 } },
  },
  routes: [{ path: '/reports/*', pool: 'heavy' }, { path: '/*' }],
})
