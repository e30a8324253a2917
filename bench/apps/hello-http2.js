// The app of hello.js as a server of HTTP/2, for contenders whose app ends HTTP/2 itself: with Node's compatibility API, or (API=streams) without objects of a
// request and a response.

import { createServer } from 'node:http2'

const server = createServer()
if (process.env.API === 'streams') {
  server.on('stream', (stream) => {
    stream.respond({ 'content-type': 'text/plain', worker: process.pid })
    stream.end('Hello world\n')
  })
} else {
  server.on('request', (_request, response) => {
    response.setHeader('Content-Type', 'text/plain')
    response.setHeader('Worker', process.pid)
    response.end('Hello world\n')
  })
}

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
