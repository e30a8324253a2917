// A server of `upstream`: it keeps idle connections longer than any proxy, and prints its address.

import { createServer } from 'node:http'
import { answerAs } from './answer.js'

const server = createServer({ keepAliveTimeout: 120_000 }, answerAs(undefined))
server.listen(0, '127.0.0.1', () => console.log(`ready: http://127.0.0.1:${server.address().port}`))
