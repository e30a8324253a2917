// The app of `logs`: prints as many lines as a request asks for, each with a call of its own, and answers when they are written.

import { createServer } from 'node:http'

const TEXT = 'x'.repeat(100)
const BATCH = 20

createServer((request, response) => {
  let left = Number(/[?&]lines=(\d+)/.exec(request.url)?.[1] ?? 0)
  const print = () => {
    for (let count = Math.min(left, BATCH); count > 0; count--) console.log(`${left--} ${TEXT}`)
    if (left > 0) setImmediate(print)
    else response.end('printed\n')
  }
  print()
}).listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
