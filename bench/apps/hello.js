// The app that every contender runs, unmodified: a hello-world server that names the process that answered.

import { createServer } from 'node:http'

const server = createServer((_request, response) => {
  response.setHeader('Content-Type', 'text/plain')
  response.setHeader('Worker', process.pid)
  response.end('Hello world\n')
})

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
