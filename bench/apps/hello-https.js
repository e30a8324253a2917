// The app of hello.js as a server of https, for contenders whose app ends TLS itself. Workers share ticket keys.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const { TLS_KEY, TLS_CERT, TLS_TICKETS, PORT = '3000' } = process.env
const options = { key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERT), ticketKeys: Buffer.from(TLS_TICKETS, 'hex') }

const server = createServer(options, (_request, response) => {
  response.setHeader('Content-Type', 'text/plain')
  response.setHeader('Worker', process.pid)
  response.end('Hello world\n')
})

server.listen(Number(PORT), '127.0.0.1')
