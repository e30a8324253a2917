import { defineConfig, roundRobin } from '@switchyard/balancer'

export default defineConfig({
  app: './server.ts',
  // Every worker compiles its TypeScript, which takes a while on a small machine.
  startTimeoutMs: 60_000,
  listen: 3000,
  pools: { web: { workers: 4 } },
  policy: roundRobin(),
})
