// One app with light routes and one that blocks its process. The config alone says where they run.

import { createServer } from 'node:http'
import { worker } from '@switchyard/worker-runtime'
import { computeReport } from './report.ts'

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const answer = (more: object): void => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ path: pathname, pool: worker.pool, slot: worker.slot, pid: process.pid, ...more }))
  }
  if (pathname.startsWith('/reports/')) answer({ report: computeReport(Number(searchParams.get('ms') ?? 500)) })
  else answer({ hello: 'world' })
})

server.listen(3000)
