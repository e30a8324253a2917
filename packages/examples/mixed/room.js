// An old server of websockets that keeps its rooms in memory, so a client must come back to the same process. Start it twice: PORT=9002 and PORT=9003.

import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

const { PORT = '9002' } = process.env

const server = createServer((request, response) => response.end(JSON.stringify({ room: PORT, client: request.headers['x-forwarded-for'] })))
const sockets = new WebSocketServer({ server })

sockets.on('connection', (socket) => {
  socket.on('error', console.error)
  socket.on('message', (data) => {
    for (const client of sockets.clients) client.send(`room ${PORT}: ${data}`)
  })
})

server.listen(Number(PORT), '127.0.0.1', () => console.log(`room on ${PORT}`))
