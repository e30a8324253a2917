// The app of the contenders that are reloaded: a hello-world server that reads the request body and names the process that answered. It
// states the length of its answer, so that clients of HTTP/1.0 can keep their connection. CLOSES=1: on SIGINT it closes its server and ends
// when that is done, as PM2 advises. READY=1: it tells its supervisor when it listens.

import { createServer } from 'node:http'

const BODY = Buffer.from('Hello world\n')

const server = createServer((request, response) => {
  const answer = () =>
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': BODY.length, Worker: process.pid }).end(BODY)
  if (request.method === 'GET') answer()
  else request.resume().once('end', answer)
})

if (process.env.CLOSES === '1') process.on('SIGINT', () => server.close(() => process.exit(0)))

server.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? '127.0.0.1', () => {
  if (process.env.READY === '1') process.send('ready')
})
