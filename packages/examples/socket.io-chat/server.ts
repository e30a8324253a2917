// A socket.io server that serves its own page. Two lines are for several workers: the adapter, which is socket.io's own way to reach the
// sockets of other processes, and stickyIds, which puts the worker's ticket into each session id.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/cluster-adapter'
import { stickyIds } from '@switchyard/worker-runtime'
import { Server } from 'socket.io'
import { type ChatServer, serveChat } from './chat.ts'

const page = readFileSync(new URL('public/index.html', import.meta.url))

const server = createServer((request, response) => {
  const found = new URL(request.url ?? '/', 'http://localhost').pathname === '/'
  response.writeHead(found ? 200 : 404, { 'content-type': found ? 'text/html; charset=utf-8' : 'text/plain' })
  response.end(found ? page : 'not found\n')
})

const io: ChatServer = new Server(server, { adapter: createAdapter() })
stickyIds(io.engine)
serveChat(io)

server.listen(3000)
