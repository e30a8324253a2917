// The log shows the stack of a hanging worker, also when other workers have an open inspector.

import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { HangStackReader } from '../../src/supervisor/workers/hang-stack.ts'
import { get, RawClient } from './support/raw-client.ts'
import { fixture, startBalancer } from './support/running-balancer.ts'

const test = suite('stack of a hanging worker', { timeoutMs: 30_000 })

test('the stacks of two hanging workers are logged', async () => {
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } }, policy: 'round-robin' } })
  await balancer.untilAllReady()
  const workers = (await balancer.status()).pools[0]?.workers ?? []
  const clients = [1, 2].map((id) => new RawClient(balancer.port).write(get(`/block?ms=60000&id=${id}`)))
  for (const id of [1, 2]) await balancer.untilLine(({ msg }) => msg === `block ${id} begun`, 'a block')
  const readers = new Map(workers.map(({ slot, pid }) => [slot, new HangStackReader(pid)]))
  let heard = 0
  const listen = setInterval(() => {
    for (const { slot, msg } of balancer.lines.slice(heard)) {
      heard++
      readers.get(slot as number)?.onLine(msg)
    }
  }, 5)
  const stacks = await Promise.all([...readers.values()].map((reader) => reader.read(patience(3000))))
  clearInterval(listen)
  for (const stack of stacks) assert.ok(stack?.startsWith(`at ${fixture('echo-app.mjs')}:34:`), stack)
  for (const { pid } of workers) process.kill(pid, 'SIGKILL')
  for (const client of clients) client.destroy()
  assert.is(await balancer.stop(), 0)
})

test.run()
