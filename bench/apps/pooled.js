// The app of the scenarios with pools, unmodified under every contender: POOL names the pool of this process, if there are pools.

import { createServer } from 'node:http'
import { answerAs } from './answer.js'

const { POOL, PORT = '3000', LISTEN } = process.env

const server = createServer(answerAs(POOL))
// Longer than any proxy keeps its connections. Otherwise a proxy would send a request on a connection that is about to close.
server.keepAliveTimeout = 75_000
if (LISTEN === undefined) server.listen(Number(PORT), '127.0.0.1')
else server.listen(LISTEN)
