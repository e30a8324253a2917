// Workers whose loop does not turn any more: each is replaced in time, and only requests that it had started are lost.

import { readFileSync } from 'node:fs'
import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { fixture, type LogLine, type RunningBalancer, startBalancer } from './support/running-balancer.ts'
import { SteadyClients } from './support/steady-clients.ts'

const HANG_MS = 1500
const WAITING = 5
const test = suite('hangs', { timeoutMs: 60_000 })

let balancer: RunningBalancer

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'hung-app.mjs',
      pools: { web: { workers: 2, queue: { timeoutMs: 300_000 } } },
      routes: [
        { path: '/home/*', policy: { sticky: { by: { query: 'key' }, breakAt: 1000 } } },
        { path: '/hang/*', policy: { sticky: { by: { query: 'key' }, breakAt: 1000 } } },
      ],
      hangTimeoutMs: HANG_MS,
      drainTimeoutMs: 300_000,
    },
  })
  await balancer.untilAllReady()
})

test.after(async () => assert.is(await balancer.stop(), 0))

/** A key whose requests go to the worker with this pid. */
async function keyOf(pid: number): Promise<string> {
  for (let number = 0; ; number++) {
    const { body } = await exchange(balancer.port, get(`/home/a?key=k${number}`))
    if (body.toString() === `${pid}`) return `k${number}`
  }
}

async function firstPid(): Promise<number> {
  const { pools } = await balancer.status()
  return pools[0]?.workers.find(({ slot }) => slot === 0)?.pid as number
}

/** Makes the first worker hang while connections are offered to it. Resolves with the time until its replacement and its log lines. */
async function hang(
  how: (pid: number, key: string) => RawClient | undefined,
): Promise<{ replacedMs: number; of: (text: string) => LogLine | undefined }> {
  await balancer.untilAllReady()
  const pid = await firstPid()
  const key = await keyOf(pid)
  const steady = new SteadyClients({ target: balancer.port })
  await steady.next(10)
  const begunMs = Date.now()
  const hanging = how(pid, key)
  if (hanging !== undefined) {
    // Connections with this key wait for this worker.
    await balancer.untilStatus(
      ({ pools }) => (pools[0]?.workers.find((worker) => worker.pid === pid)?.load.busyMs ?? 0) > 50,
      'a busy loop',
    )
  }
  const waiting = Array.from({ length: WAITING }, () => new RawClient(balancer.port).write(get(`/home/a?key=${key}`)))
  await balancer.untilStatus(({ connections }) => connections.waiting.offered >= WAITING, 'all connections offered')
  const end = await balancer.untilLine((line) => line.pid === pid && line.msg.includes('was ended by SIGKILL'), 'the exit')
  const ready = balancer.lines.filter(({ msg, time }) => msg.startsWith('web/0 ready') && (time as number) > begunMs).at(-1) as LogLine
  assert.ok((ready.time as number) <= (end.time as number), 'the replacement is ready before the kill')
  for (const client of waiting) {
    const { status, body } = await client.answer(30_000)
    assert.is(status, 200)
    assert.is.not(body.toString(), `${pid}`)
    client.destroy()
  }
  await hanging?.over()
  hanging?.destroy()
  const { faults } = await steady.end()
  // A further request on a connection of this worker is lost with it.
  assert.ok(faults.length <= 2 && faults.every((fault) => fault.includes('kept alive')), faults.join('\n'))
  await balancer.untilAllReady()
  const about = balancer.lines.filter((line) => line.pid === pid)
  return { replacedMs: (ready.time as number) - begunMs, of: (text) => about.find(({ msg }) => msg.includes(text)) }
}

test('a worker in an endless loop is replaced in time and killed, the log names the line, and waiting requests are answered', async () => {
  const { replacedMs, of } = await hang((_pid, key) => new RawClient(balancer.port).write(get(`/hang/a?key=${key}`)))
  assert.ok(replacedMs >= HANG_MS && replacedMs <= HANG_MS + patience(1000), `replaced after ${replacedMs} ms`)
  const file = fixture('hung-app.mjs')
  const line =
    readFileSync(file, 'utf8')
      .split('\n')
      .findIndex((text) => text.includes('while (true)')) + 1
  const stack = of('hangs here')?.stack
  assert.match(`${stack}`, new RegExp(`^at compute \\(${file}:${line}:|^at ${file}:${line}:`, 'm'))
  assert.match(`${of('hangs: its event loop')?.msg}`, /web\/0 hangs: its event loop has not turned for \d/)
})

test('a stopped worker is replaced in time and killed, and waiting requests are answered', async () => {
  const { replacedMs, of } = await hang((pid) => {
    process.kill(pid, 'SIGSTOP')
    return undefined
  })
  assert.ok(replacedMs >= HANG_MS - 500 && replacedMs <= HANG_MS + patience(1000), `replaced after ${replacedMs} ms`)
  assert.ok(of("its stack can't be read") !== undefined)
})

test('a worker that hangs while it drains is killed in time, before the drain timeout', async () => {
  await balancer.untilAllReady()
  const pid = await firstPid()
  const hanging = new RawClient(balancer.port).write(get(`/hang/a?key=${await keyOf(pid)}`))
  await balancer.untilStatus(({ pools }) => (pools[0]?.workers.find((worker) => worker.pid === pid)?.load.busyMs ?? 0) > 50, 'a busy loop')
  const { code, err } = await runCommand(balancer, ['drain', 'web/0'])
  assert.is(code, 0, err)
  assert.ok(balancer.lines.some((line) => line.pid === pid && line.msg === 'web/0: killed: its event loop hangs'))
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  await hanging.over()
  hanging.destroy()
  // The slot is out of service now.
  assert.is((await runCommand(balancer, ['restart', 'web/0'])).code, 0)
})

test('a hanging worker leaves nothing behind', async () => {
  await balancer.untilAllReady()
  const { descriptors } = balancer
  await hang((pid) => {
    process.kill(pid, 'SIGSTOP')
    return undefined
  })
  await balancer.untilDescriptors(descriptors)
  assert.is(balancer.child.stderr(), '')
})

test.run()
