// A server without a framework. Sessions are in Redis, so that any worker of any balancer has them.

import { createServer } from 'node:http'
import { sessions, worker } from '@switchyard/worker-runtime'

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    // The error of an unreachable store has the answer: 503, with `Retry-After`.
    if (!response.headersSent) response.writeHead(error.status ?? 500, error.headers ?? {})
    response.end()
  })
})

async function answer(request, response) {
  const session = await sessions(request, response)
  switch (`${request.method} ${request.url}`) {
    case 'POST /visits':
      await session.update((value) => ({ ...value, visits: (value?.visits ?? 0) + 1 }))
      break
    case 'POST /login':
      await session.regenerate()
      await session.update((value) => ({ ...value, user: 'Ada' }))
      break
    case 'POST /logout':
      await session.destroy()
      break
  }
  // The same connection to Redis, for other data of the app.
  const served = request.url === '/served' ? await worker.redis.incr('served') : undefined
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ ...session.value, served, slot: worker.slot, pid: process.pid }))
}

server.listen(3000)
