// The visitor's name is in a session that the page's requests and the socket share. A message goes to a room, in any worker of any
// balancer.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { sessions, stickyIds } from '@switchyard/worker-runtime'
import { Server } from 'socket.io'
import { roomsOverRedis } from './rooms.ts'
import { serveYard, type Yard, type YardServer } from './yard.ts'

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const session = await sessions<Yard>(request, response)
  if (request.method === 'POST' && pathname === '/login') {
    await session.regenerate()
    await session.update(() => ({ name: searchParams.get('name') ?? 'guest', yard: searchParams.get('yard') ?? 'north' }))
  } else if (request.method === 'POST' && pathname === '/logout') await session.destroy()
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(session.value ?? {}))
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: { status?: number; headers?: Record<string, string> }) => {
    if (!response.headersSent) response.writeHead(error.status ?? 500, error.headers ?? {})
    response.end()
  })
})

const io: YardServer = new Server(server, { adapter: roomsOverRedis() })
stickyIds(io.engine)
serveYard(io)

server.listen(3000)
