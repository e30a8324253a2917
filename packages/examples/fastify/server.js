// A Fastify app that waits for listen(), in an ES module. It does not know about workers.

import Fastify from 'fastify'

const app = Fastify()

app.get('/', async () => ({ hello: 'world', pid: process.pid }))

app.post('/echo', async (request) => ({ body: request.body, pid: process.pid }))

const address = await app.listen({ port: 3000, host: '127.0.0.1' })
console.log(`listening on ${address}`)
