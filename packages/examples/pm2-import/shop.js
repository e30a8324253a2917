// Written for PM2's cluster mode.
const { createServer } = require('node:http')
const { NODE_ENV, NODE_APP_INSTANCE, PORT } = process.env

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ app: 'shop', environment: NODE_ENV, slot: NODE_APP_INSTANCE, pid: process.pid, path: request.url }))
})
server.listen(Number(PORT), () => {
  console.log(`shop listens on ${PORT}`)
  // Only a supervisor has this channel.
  process.send?.('ready')
})
process.on('SIGINT', () => server.close(() => process.exit(0)))
