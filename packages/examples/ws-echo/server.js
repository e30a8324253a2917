// A ws server that sends back what it gets. It does not know about workers.

import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ port: 3000, host: '127.0.0.1' })

server.on('connection', (socket) => {
  socket.on('error', console.error)
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  socket.send(JSON.stringify({ worker: process.pid }))
})
