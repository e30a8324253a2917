import { defineConfig } from '@switchyard/balancer'

// The same file on every machine. Ids that one balancer has signed are believed by the other, since they have the secret in common.
export default defineConfig({
  app: './server.js',
  // On a machine that is busy four processes take a while to read their modules.
  startTimeoutMs: 60_000,
  listen: 3000,
  pools: { web: { workers: 2 } },
  sessions: { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' },
  secret: process.env.SWITCHYARD_SECRET ?? 'only for this example',
  // Two of them on one machine: no common control socket.
  control: false,
})
