// A Node primary that passes requests on with http-proxy: http-proxy-primary.js <pool>=<size>…. It answers requests of a pool without
// servers itself. With SERVERS, host:port with commas between them, it passes all requests to those in turn.

import { Agent, createServer } from 'node:http'
import httpProxy from 'http-proxy'
import { answerAs } from './answer.js'
import { printReady, startPools } from './family.js'
import { poolOf } from './pool-of.js'

const handlers = new Map()
for (const [pool, [socketPath]] of await startPools(process.argv.slice(2)))
  handlers.set(pool, socketPath ? passTo({ socketPath }) : answerAs(pool))

const { SERVERS } = process.env
const inTurn = SERVERS?.split(',').map((server) => passTo(`http://${server}`))
let count = 0
const handlerOf = inTurn === undefined ? ({ url }) => handlers.get(poolOf(url)) : () => inTurn[count++ % inTurn.length]
const server = createServer((request, response) => handlerOf(request)(request, response))
server.keepAliveTimeout = 75_000
server.listen(0, '127.0.0.1', () => printReady(server.address().port))

function passTo(target) {
  const proxy = httpProxy.createProxyServer({ target, agent: new Agent({ keepAlive: true }) })
  return (request, response) =>
    proxy.web(request, response, {}, (error) => {
      response.statusCode = 502
      response.end(`${error.message}\n`)
    })
}
