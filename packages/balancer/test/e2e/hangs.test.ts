// Workers whose loop does not turn any more: each is replaced in time, and only what it had begun is lost.

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

/** A key whose visitors the worker in this process has, and nobody else. */
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

/** Hangs the first worker with others waiting in its socket; gives when it was replaced, and the lines of the log that speak of it. */
async function hang(
  how: (pid: number, key: string) => RawClient | undefined,
): Promise<{ replacedMs: number; of: (text: string) => LogLine | undefined }> {
  const pid = await firstPid()
  const key = await keyOf(pid)
  const steady = new SteadyClients({ target: balancer.port })
  await steady.next(10)
  const begunMs = Date.now()
  const hanging = how(pid, key)
  if (hanging !== undefined) {
    // What comes to it meanwhile waits for it alone.
    await balancer.untilStatus(
      ({ pools }) => (pools[0]?.workers.find((worker) => worker.pid === pid)?.load.busyMs ?? 0) > 50,
      'a busy loop',
    )
  }
  const waiting = Array.from({ length: WAITING }, () => new RawClient(balancer.port).write(get(`/home/a?key=${key}`)))
  await balancer.untilStatus(({ connections }) => connections.waiting.offered >= WAITING, 'all of them in its socket')
  const end = await balancer.untilLine((line) => line.pid === pid && line.msg.includes('was ended by SIGKILL'), 'its end')
  const ready = balancer.lines.filter(({ msg, time }) => msg.startsWith('web/0 ready') && (time as number) > begunMs).at(-1) as LogLine
  assert.ok((ready.time as number) <= (end.time as number), 'it was killed before another had taken its place')
  for (const client of waiting) {
    const { status, body } = await client.answer(30_000)
    assert.is(status, 200)
    assert.is.not(body.toString(), `${pid}`)
    client.destroy()
  }
  await hanging?.over()
  hanging?.destroy()
  const { faults } = await steady.end()
  // A connection that it had, and that was asked again, is its own loss.
  assert.ok(faults.length <= 2 && faults.every((fault) => fault.includes('kept alive')), faults.join('\n'))
  await balancer.untilAllReady()
  const about = balancer.lines.filter((line) => line.pid === pid)
  return { replacedMs: (ready.time as number) - begunMs, of: (text) => about.find(({ msg }) => msg.includes(text)) }
}

test('one in an endless loop: replaced in time and killed, the log names its line, and nobody waits in vain', async () => {
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

test('one that is stopped: replaced in time and killed, and nobody waits in vain', async () => {
  const { replacedMs, of } = await hang((pid) => {
    process.kill(pid, 'SIGSTOP')
    return undefined
  })
  assert.ok(replacedMs >= HANG_MS - 500 && replacedMs <= HANG_MS + patience(1000), `replaced after ${replacedMs} ms`)
  assert.ok(of("its stack can't be read") !== undefined)
})

test('one that hangs while it drains is killed in time, whatever time the drain has', async () => {
  const pid = await firstPid()
  const hanging = new RawClient(balancer.port).write(get(`/hang/a?key=${await keyOf(pid)}`))
  await balancer.untilStatus(({ pools }) => (pools[0]?.workers.find((worker) => worker.pid === pid)?.load.busyMs ?? 0) > 50, 'a busy loop')
  const { code, err } = await runCommand(balancer, ['drain', 'web/0'])
  assert.is(code, 0, err)
  assert.ok(balancer.lines.some((line) => line.pid === pid && line.msg === 'web/0: killed: its loop hangs'))
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  await hanging.over()
  hanging.destroy()
})

test('nothing is left of them', async () => {
  assert.is(balancer.child.stderr(), '')
  assert.is(await balancer.stop(), 0)
})

test.run()
