// A worker of naive-primary.js: serves the connections that it receives.

import { createServer } from 'node:http'
import { answerAs } from './answer.js'

const server = createServer(answerAs(undefined))
server.keepAliveTimeout = 75_000

process.on('message', (_word, socket) => {
  // The client may have hung up meanwhile.
  if (socket === undefined) return
  server.emit('connection', socket)
  socket.resume()
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
