// A Node primary that passes requests on with http-proxy: http-proxy-primary.js <pool>=<size>…. It answers requests of a pool without
// servers itself.

import { Agent, createServer } from 'node:http'
import httpProxy from 'http-proxy'
import { answerAs } from './answer.js'
import { printReady, startPools } from './family.js'
import { poolOf } from './pool-of.js'

const handlers = new Map()
for (const [pool, [socketPath]] of await startPools(process.argv.slice(2)))
  handlers.set(pool, socketPath ? passTo(socketPath) : answerAs(pool))

const server = createServer((request, response) => handlers.get(poolOf(request.url))(request, response))
server.keepAliveTimeout = 75_000
server.listen(0, '127.0.0.1', () => printReady(server.address().port))

function passTo(socketPath) {
  const proxy = httpProxy.createProxyServer({ target: { socketPath }, agent: new Agent({ keepAlive: true }) })
  return (request, response) =>
    proxy.web(request, response, {}, (error) => {
      response.statusCode = 502
      response.end(`${error.message}\n`)
    })
}
