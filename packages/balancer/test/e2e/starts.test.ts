// Starts, failed starts and stops of the balancer: output, exit codes and leftovers.

import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { spawnLogged } from '../../../../test/support/spawn.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { exchange, get, json, RawClient } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { fixture, type RunningBalancer, type StartOptions, startBalancer } from './support/running-balancer.ts'

const test = suite('starts', { timeoutMs: 30_000 })

/** Runs a start that must fail within `limitMs`, with one matching line on stderr and nothing left behind. */
async function failsToStart(options: StartOptions, exitCode: number, line: RegExp, limitMs = 12_000): Promise<RunningBalancer> {
  const balancer = await startBalancer({ ...options, wait: false })
  assert.is(await balancer.ended(limitMs), exitCode, balancer.child.output())
  const said = balancer.child.output().replace(balancer.child.stdout(), '')
  assert.match(said, line)
  const lines = balancer.child
    .output()
    .split('\n')
    .filter((text) => text !== '' && !text.startsWith('{'))
  assert.is(lines.length, 1, lines.join('\n'))
  assert.equal(leftIn(balancer), [])
  return balancer
}

/** Files that the balancer has left in its temporary folder, besides its config. */
function leftIn({ temporary }: RunningBalancer): string[] {
  return readdirSync(temporary).filter((name) => name.startsWith('switchyard'))
}

function isAlive(pid: number): boolean {
  try {
    // A zombie counts as exited.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function pidsOf(balancer: RunningBalancer): Promise<number[]> {
  const { pools } = await balancer.status()
  return pools.flatMap(({ workers }) => workers.map(({ pid }) => pid))
}

test('a port in use: one line, exit code 3', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await untilEvent(other, 'listening')
  const { port } = other.address() as { port: number }
  try {
    await failsToStart({ config: { app: 'echo-app.mjs', listen: `127.0.0.1:${port}` } }, 3, new RegExp(`127\\.0\\.0\\.1:${port} is in use`))
    // A port of the app is known only when the app has started.
    await failsToStart(
      { config: { app: 'echo-app.mjs', listen: undefined, pools: { web: { workers: 2 } } }, env: { APP_PORT: String(port) } },
      3,
      new RegExp(`:${port} is in use`),
    )
  } finally {
    other.close()
  }
})

test('an address of another machine: one line, exit code 3', async () => {
  await failsToStart({ config: { app: 'echo-app.mjs', listen: '192.0.2.1:0' } }, 3, /cannot listen on 192\.0\.2\.1:0.*EADDRNOTAVAIL/)
})

test('an app file that is missing: one line, exit code 2', async () => {
  await failsToStart({ config: { app: 'nothing-here.mjs' } }, 2, /there is no app at .*nothing-here\.mjs/)
})

test('an app that throws while it starts: one line with its error, exit code 4', async () => {
  await failsToStart(
    { config: { app: 'throws-app.mjs', pools: { web: { workers: 2 } } } },
    4,
    /no worker of pool 'web' came up.*no database here/,
  )
})

test('an app that never listens: one line, exit code 4, after the start deadline', async () => {
  await failsToStart(
    { config: { app: 'silent-app.mjs', pools: { web: { workers: 2 } }, startTimeoutMs: 800 } },
    4,
    /no worker of pool 'web' came up.*the app did not listen within 800 ms \(startTimeoutMs\): check that it calls listen\(\)/,
  )
})

test('a slot that crashes at its start is restarted with growing delays, and the others serve', async () => {
  const balancer = await startBalancer({
    config: {
      app: 'throws-app.mjs',
      pools: { web: { workers: 2, env: { FAIL_SLOT: '1' } } },
      restartDelayMs: 50,
      maxRestartDelayMs: 10_000,
    },
  })
  const exits = () => balancer.lines.filter(({ msg }) => /^web\/1 .*before it was ready/.test(msg))
  await until(() => exits().length >= 4, 10_000, 'four exits')
  const delays = exits().map(({ restartInMs }) => restartInMs as number)
  for (let index = 0; index < 4; index++) {
    const whole = 50 * 2 ** index
    assert.ok((delays[index] ?? 0) >= whole / 2 && (delays[index] ?? 0) <= whole, `delay ${index}: ${delays[index]}`)
  }
  for (let turn = 0; turn < 10; turn++) assert.is((await exchange(balancer.port, get('/'))).status, 200)
  assert.is(await balancer.stop(), 0)
  assert.equal(leftIn(balancer), [])
})

test('workers killed one after the other and all at once are replaced in every slot', async () => {
  const balancer = await startBalancer({
    config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } }, restartDelayMs: 20, maxRestartDelayMs: 100 },
  })
  await balancer.untilAllReady()
  const descriptors = balancer.descriptors
  for (const signal of ['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const) {
    const [pid] = await pidsOf(balancer)
    process.kill(pid as number, signal)
    await balancer.untilLine((line) => line.pid === pid && /ended by|exited/.test(line.msg), `the end by ${signal}`)
    await balancer.untilAllReady()
  }
  const all = await pidsOf(balancer)
  for (const pid of all) process.kill(pid, 'SIGKILL')
  await until(() => all.every((pid) => !isAlive(pid)))
  const answer = await exchange(balancer.port, get('/'))
  assert.ok([200, 503].includes(answer.status))
  await balancer.untilAllReady()
  await exchange(balancer.port, get('/exit')).catch(() => {})
  await balancer.untilLine(({ msg }) => /exited with code 1/.test(msg), 'the exit')
  await balancer.untilAllReady()
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  await balancer.untilDescriptors(descriptors)
  assert.is(await balancer.stop(), 0)
})

test('SIGTERM drains: requests in flight are finished, no connection is accepted, nothing is left behind', async () => {
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } }, drainTimeoutMs: 300_000 } })
  const { port } = balancer
  await balancer.untilAllReady()
  const pids = await pidsOf(balancer)
  const idle = new RawClient(port).write(get('/', { Connection: 'keep-alive' }))
  await idle.answer()
  const hold = new RequestHold()
  const slow = new RawClient(port).write(hold.request('/wait', { Connection: 'keep-alive' }))
  await balancer.untilLine(({ msg }) => msg === 'wait begun', 'the slow request')
  const half = await new RawClient(port).connected()
  half.write('GET /half HTTP')
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 1, 'the incomplete head')
  // Some supervisors signal every process of a group.
  for (const pid of [balancer.pid, ...pids]) process.kill(pid, 'SIGTERM')
  await balancer.untilLine(({ msg }) => msg.startsWith('draining'), 'the drain')
  const late = new RawClient(port)
  assert.is(
    await late.connected().then(
      () => 'accepted',
      (error) => error.code,
    ),
    'ECONNREFUSED',
  )
  // An idle connection is closed at once. A pending answer is sent and closes its connection.
  await idle.over()
  assert.is(slow.unread, 0)
  hold.release()
  const answer = await slow.answer()
  assert.is(answer.status, 200)
  assert.match(json<{ url: string }>(answer).url, /^\/wait/)
  await slow.over()
  assert.is(await balancer.ended(), 0)
  await half.over()
  assert.ok(pids.every((pid) => !isAlive(pid)))
  assert.equal(leftIn(balancer), [])
  for (const client of [idle, slow, half, late]) client.destroy()
})

test('a head that is completed during the drain is answered by a worker or with 503', async () => {
  const balancer = await startBalancer({
    config: { app: 'echo-app.mjs', pools: { web: { workers: 1 } }, headTimeoutMs: 300_000, drainTimeoutMs: 300_000 },
  })
  const hold = new RequestHold()
  const slow = new RawClient(balancer.port).write(hold.request('/wait'))
  const half = await new RawClient(balancer.port).connected()
  half.write('GET /half HTTP')
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 1, 'the incomplete head')
  await balancer.untilLine(({ msg }) => msg === 'wait begun', 'the slow request')
  balancer.child.process.kill('SIGTERM')
  await balancer.untilLine(({ msg }) => msg.startsWith('draining'), 'the drain')
  half.write('/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
  assert.ok([200, 503].includes((await half.answer()).status))
  hold.release()
  assert.is((await slow.answer()).status, 200)
  assert.is(await balancer.ended(), 0)
  for (const client of [slow, half]) client.destroy()
})

test('with a shutdown delay the balancer is not ready after SIGTERM, but accepts for that time', async () => {
  const balancer = await startBalancer({
    config: { app: 'echo-app.mjs', pools: { web: { workers: 1 } }, shutdownDelayMs: 600_000, drainTimeoutMs: 300_000 },
  })
  const readyz = (): Promise<Response> =>
    fetch(new URL('/readyz', String(balancer.lines.find(({ msg }) => msg.startsWith('ready:'))?.metrics)))
  assert.is((await readyz()).status, 200)
  balancer.child.process.kill('SIGTERM')
  await balancer.untilLine(({ msg }) => msg.startsWith('SIGTERM: not ready any more'), 'the delay')
  const answer = await readyz()
  assert.equal([answer.status, await answer.text()], [503, 'it is stopping\n'])
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  balancer.child.process.kill('SIGTERM')
  assert.is(await balancer.ended(), 143)
  assert.equal(leftIn(balancer), [])
})

test('a second signal stops at once', async () => {
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } }, drainTimeoutMs: 300_000 } })
  await balancer.untilAllReady()
  const pids = await pidsOf(balancer)
  const slow = new RawClient(balancer.port).write(get('/slow?ms=600000&id=s'))
  await balancer.untilLine(({ msg }) => msg === 'slow s begun', 'the slow request')
  balancer.child.process.kill('SIGTERM')
  await balancer.untilLine(({ msg }) => msg.startsWith('draining'), 'the drain')
  balancer.child.process.kill('SIGTERM')
  assert.is(await balancer.ended(), 143)
  await slow.over()
  slow.destroy()
  await until(() => pids.every((pid) => !isAlive(pid)))
  assert.equal(leftIn(balancer), [])
})

test('the drain ends at its timeout', async () => {
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: { web: { workers: 1 } }, drainTimeoutMs: 500 } })
  const slow = new RawClient(balancer.port).write(get('/slow?ms=600000&id=s'))
  await balancer.untilLine(({ msg }) => msg === 'slow s begun', 'the slow request')
  assert.is(await balancer.stop(3_000), 0)
  await slow.over()
  slow.destroy()
})

test('a blocked worker stops within the drain timeout', async () => {
  const balancer = await startBalancer({
    config: { app: 'echo-app.mjs', policy: 'least-in-flight', pools: { web: { workers: 1 } }, drainTimeoutMs: 500 },
  })
  const blocked = new RawClient(balancer.port).write(get('/block?ms=600000&id=b'))
  await balancer.untilLine(({ msg }) => msg === 'block b begun', 'the block')
  const waiting = new RawClient(balancer.port).write(get('/'))
  await balancer.untilStatus(({ connections }) => connections.waiting.offered === 1, 'an offered connection')
  assert.is(await balancer.stop(3_000), 0)
  await blocked.over()
  await waiting.over()
  for (const client of [blocked, waiting]) client.destroy()
})

test('a signal during the start stops the balancer', async () => {
  const balancer = await startBalancer({ config: { app: 'silent-app.mjs', pools: { web: { workers: 2 } } }, wait: false })
  await balancer.untilLine(({ msg }) => msg.startsWith('web/1 started'), 'the second start')
  assert.is(await balancer.stop(8_000), 0)
  assert.equal(leftIn(balancer), [])
})

test('a stop before the address is resolved', async () => {
  const child = spawnLogged(process.execPath, [fixture('early-stop.mjs')])
  await child.untilOutput(/stopped\n/)
  assert.equal(await child.ended, { code: 0, signal: null }, child.output())
  assert.match(child.output(), /rejected: stopped while starting/)
})

test('workers exit when the primary is killed', async () => {
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } } } })
  await balancer.untilAllReady()
  const pids = await pidsOf(balancer)
  balancer.child.process.kill('SIGKILL')
  await until(() => pids.every((pid) => !isAlive(pid)), 5_000, 'the exit of every worker')
})

test.run()
