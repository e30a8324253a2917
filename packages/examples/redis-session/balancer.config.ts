import { defineConfig } from '@switchyard/balancer'

// The same file on every machine. Each balancer accepts ids that the other has signed, because they share the secret.
export default defineConfig({
  app: './server.js',
  // On a busy machine four processes take a while to read their modules.
  startTimeoutMs: 60_000,
  listen: 3000,
  pools: { web: { workers: 2 } },
  sessions: { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' },
  secret: process.env.SWITCHYARD_SECRET ?? 'only for this example',
  // Two balancers on one machine cannot share a control socket.
  control: false,
})
