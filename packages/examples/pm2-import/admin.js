// A second app, with a port of its own.
const { createServer } = require('node:http')
const { NODE_ENV, PORT } = process.env

createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ app: 'admin', environment: NODE_ENV, pid: process.pid, path: request.url }))
}).listen(Number(PORT))
