import { defineConfig } from '@switchyard/balancer'

const { PORT = '50051' } = process.env

export default defineConfig({
  app: './server.js',
  pools: { orders: { workers: 2 }, reports: { workers: 2 } },
  routes: [
    { path: '/shop.Reports/*', pool: 'reports' },
    { path: '/shop.Orders/Quote', pool: 'orders', spread: true },
    { path: '/*', pool: 'orders' },
  ],
  listen: { port: Number(PORT), http2: true },
})
