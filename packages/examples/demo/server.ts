// The demo: a page that shows which worker answered, light requests, reports that block their process, and the chat.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/cluster-adapter'
import { stickyIds, worker } from '@switchyard/worker-runtime'
import { Server } from 'socket.io'
import { computeReport } from '../heavy-reports/report.ts'
import { type ChatServer, serveChat } from '../socket.io-chat/chat.ts'

const asset = (name: string, type: string) => ({
  body: readFileSync(new URL(`public/${name}`, import.meta.url)),
  type: `${type}; charset=utf-8`,
})
const assets = new Map([
  ['/', asset('index.html', 'text/html')],
  ['/style.css', asset('style.css', 'text/css')],
  ['/page.js', asset('page.js', 'text/javascript')],
  ['/yard.js', asset('yard.js', 'text/javascript')],
])

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const found = assets.get(pathname)
  const answer = (value: object, status = 200): void => {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify({ pool: worker.pool, slot: worker.slot, pid: process.pid, ...value }))
  }
  if (found !== undefined) response.writeHead(200, { 'content-type': found.type }).end(found.body)
  else if (pathname === '/light') answer({})
  else if (pathname === '/workers') answer({ workers: JSON.parse(process.env.DEMO_WORKERS ?? '{}') })
  else if (pathname.startsWith('/reports/')) answer({ report: computeReport(Number(searchParams.get('ms') ?? 2_000)) })
  else answer({ error: 'not found' }, 404)
})
// A light request on a kept-alive connection stays with the worker that holds it. Here each gets its own connection, to show how they
// spread.
server.maxRequestsPerSocket = 1

const io: ChatServer = new Server(server, { adapter: createAdapter() })
stickyIds(io.engine)
serveChat(io)

server.listen(3000)
