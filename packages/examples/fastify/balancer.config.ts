import { defineConfig, roundRobin } from '@switchyard/balancer'

export default defineConfig({
  app: './server.js',
  listen: 3000,
  pools: { web: { workers: 4 } },
  policy: roundRobin(),
})
