// An Express app with a websocket, as written for one process and HTTP/1.1.

import { createServer } from 'node:http'
import express from 'express'
import { WebSocketServer } from 'ws'

const app = express()

app.get('/', (_request, response) => {
  response.sendFile('page.html', { root: import.meta.dirname })
})

app.get('/tiles/:number', (request, response) => {
  response.type('svg').send(`<svg xmlns="http://www.w3.org/2000/svg"><title>${request.params.number}</title></svg>`)
})

app.post('/sum', express.json(), (request, response) => {
  response.json({ sum: request.body.reduce((sum, number) => sum + number, 0), pid: process.pid })
})

app.get('/reports/:name', (request, response) => {
  // To the app every request is one of HTTP/1.1. Its socket knows what the client speaks.
  response.json({ name: request.params.name, isHttp2: request.socket.alpnProtocol === 'h2', secure: request.secure, pid: process.pid })
})

app.get('/busy', (_request, response) => {
  // As a page that is rendered on the server.
  const until = performance.now() + 20
  while (performance.now() < until);
  response.json({ pid: process.pid })
})

const server = createServer(app)
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (message) => socket.send(`echo: ${message}`))
})
server.listen(3000)
