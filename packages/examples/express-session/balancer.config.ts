import { defineConfig, roundRobin } from '@switchyard/balancer'

export default defineConfig({
  app: './server.js',
  // On a busy machine four processes take a while to read their modules.
  startTimeoutMs: 60_000,
  listen: 3000,
  pools: { web: { workers: 4 } },
  // Nothing is sticky, so that every request of a visitor meets another worker.
  policy: roundRobin(),
})
