// The app of hello.js as a server of HTTP/2, with Node's own compatibility API, for contenders whose app ends HTTP/2 itself.

import { createServer } from 'node:http2'

const server = createServer((_request, response) => {
  response.setHeader('Content-Type', 'text/plain')
  response.setHeader('Worker', process.pid)
  response.end('Hello world\n')
})

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
