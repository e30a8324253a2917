import { defineConfig, sticky, ticket } from '@switchyard/balancer'

const { PYTHON_PORT = '9001', ROOM_PORTS = '9002,9003' } = process.env

export default defineConfig({
  app: './server.js',
  listen: 3000,
  pools: {
    // Workers of the Express app.
    web: { workers: 2 },
    // Proxies for a server in Python.
    files: { workers: 1, upstream: { servers: [`http://127.0.0.1:${PYTHON_PORT}`], stripPrefix: '/files' } },
    // Proxies for two old servers, of which each has rooms of its own.
    rooms: { workers: 1, upstream: ROOM_PORTS.split(',').map((port) => `http://127.0.0.1:${port}`) },
  },
  routes: [
    { path: '/files/*', pool: 'files' },
    { path: '/room/*', pool: 'rooms', policy: sticky({ by: ticket() }) },
  ],
})
