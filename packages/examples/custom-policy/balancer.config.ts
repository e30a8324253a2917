import { defineConfig } from '@switchyard/balancer'
import { byTenant } from './tenants.ts'

export default defineConfig({
  app: './server.js',
  listen: 3000,
  pools: { web: { workers: 4 } },
  policy: byTenant({ acme: [0, 1], globex: [2] }),
})
