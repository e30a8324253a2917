import { setupPrimary } from '@socket.io/cluster-adapter'
import { defineConfig, leastInFlight, sticky, ticket } from '@switchyard/balancer'

// socket.io's own adapter: carries chat messages to the sockets of the other workers.
setupPrimary()

const workers = { web: 4, heavy: 2 }

/** `npm start` makes a certificate for localhost, and sets the port if it is free. */
const { PORT = '3000', HTTPS_PORT = '', CERTIFICATES = '' } = process.env
const https = HTTPS_PORT === '' ? [] : [{ port: Number(HTTPS_PORT), tls: { folder: CERTIFICATES }, http2: true }]

export default defineConfig({
  app: './server.ts',
  // Every worker compiles its TypeScript, which takes a while on a small machine.
  startTimeoutMs: 60_000,
  listen: [Number(PORT), ...https],
  pools: {
    web: { workers: workers.web, env: { DEMO_WORKERS: JSON.stringify(workers) } },
    heavy: { workers: workers.heavy, queue: { limit: 100, timeoutMs: 30_000 } },
  },
  routes: [
    { path: '/reports/*', pool: 'heavy' },
    { path: '/socket.io/*', policy: sticky({ by: ticket(), otherwise: leastInFlight() }) },
    { path: '/*' },
  ],
  drainTimeoutMs: 2_000,
})
