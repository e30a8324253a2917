// An app with a plain server. The balancer's workers end TLS for it.

import { createServer } from 'node:http'

createServer((request, response) => {
  const { socket } = request
  const name = socket.servername || 'nothing'
  response.setHeader('Content-Type', 'text/plain')
  response.end(`pid ${process.pid}, ${socket.encrypted ? socket.getProtocol() : 'no TLS'}, asked for ${name}\n`)
}).listen(3000)
