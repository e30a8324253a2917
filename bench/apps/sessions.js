// The app of `sessions` without a framework: GET /read/<visitor> and /read-write/<visitor>, a session that each request reads, or reads and
// writes.

import { createServer } from 'node:http'
import { sessions } from '@switchyard/worker-runtime'
import { visitorOf, withContents } from './visitors.js'

async function answer(request, response) {
  const session = await sessions(request, response)
  if (!request.url.startsWith('/read/')) await session.update((value) => withContents(value))
  response.setHeader('Content-Type', 'text/plain')
  response.setHeader('Worker', process.pid)
  response.setHeader('Visitor', visitorOf(request.url))
  response.end(`${session.value?.count ?? 0}`)
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    response.statusCode = error.status ?? 500
    response.end(error.message)
  })
})
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
