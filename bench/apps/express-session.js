// The same app with express-session: express-session.js, with STORE=connect-redis, which has its own client to STORE_URL, or
// STORE=switchyard.

import { createServer } from 'node:http'
import expressSession from 'express-session'
import { visitorOf, withContents } from './visitors.js'

async function openStore() {
  if (process.env.STORE !== 'connect-redis')
    return (await import('@switchyard/worker-runtime/express-session')).expressSessions(expressSession)
  const [{ RedisStore }, { createClient }] = await Promise.all([import('connect-redis'), import('redis')])
  const client = createClient({ url: process.env.STORE_URL })
  client.on('error', (error) => console.error(error.message))
  await client.connect()
  return new RedisStore({ client })
}

const withSession = expressSession({
  store: await openStore(),
  secret: 'a secret of a measurement',
  resave: false,
  saveUninitialized: false,
})

const server = createServer((request, response) => {
  withSession(request, response, (error) => {
    if (error) {
      response.statusCode = error.status ?? 500
      return response.end(error.message)
    }
    const { session } = request
    if (!request.url.startsWith('/read/')) Object.assign(session, withContents(session))
    response.setHeader('Content-Type', 'text/plain')
    response.setHeader('Worker', process.pid)
    response.setHeader('Visitor', visitorOf(request.url))
    response.end(`${session.count ?? 0}`)
  })
})
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
