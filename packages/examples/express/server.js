// An Express app as written for one process. It does not know about workers.

const express = require('express')

const app = express()
app.use(express.json())

app.get('/', (_request, response) => {
  response.json({ hello: 'world', pid: process.pid })
})

app.post('/orders', (request, response) => {
  response.status(201).json({ accepted: request.body, pid: process.pid })
})

app.get('/address', (_request, response) => {
  response.json(server.address())
})

const server = app.listen(process.env.PORT || 3000, '127.0.0.1', () => {
  const { address, port } = server.address()
  console.log(`listening on http://${address}:${port}`)
})
