// Answers with the slot of the worker that it runs in.

import { createServer } from 'node:http'
import { worker } from '@switchyard/worker-runtime'

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ tenant: request.headers['x-tenant'] ?? null, slot: worker.slot, pid: process.pid }))
})

server.listen(3000)
