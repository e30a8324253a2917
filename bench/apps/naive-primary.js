// Round robin by hand-off, as sticky libraries do it: naive-primary.js <workers>. The primary accepts and sends each connection to the next
// worker in turn, whatever became of those before. A measurement in which it does well has measured nothing.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('naive-worker.js', import.meta.url))
const workers = Array.from({ length: Number(process.argv[2]) }, () => fork(file))
await Promise.all(workers.map((worker) => once(worker, 'message')))

let turn = 0
const server = createServer({ pauseOnConnect: true }, (socket) => {
  workers[turn++ % workers.length].send('connection', socket, (error) => error && fail(error))
})
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => console.log(`ready: http://127.0.0.1:${server.address().port}`))
for (const worker of workers) worker.once('exit', () => fail(new Error(`worker ${worker.pid} ended`)))

function fail(error) {
  console.error(error.message)
  process.exit(1)
}
