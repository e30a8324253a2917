import { defineConfig } from '@switchyard/balancer'

const { PORT = '8443', CERTIFICATES = './certificates' } = process.env

export default defineConfig({
  app: './server.js',
  pools: { web: { workers: 2 }, reports: { workers: 1 } },
  routes: [
    { path: '/reports/*', pool: 'reports' },
    { path: '/*', pool: 'web' },
  ],
  listen: { port: Number(PORT), tls: { folder: CERTIFICATES }, http2: { spread: true } },
})
