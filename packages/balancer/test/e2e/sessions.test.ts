// Sessions of an app in several workers, on the embedded store: every worker sees the writes of the others, and sessions survive their workers.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get, json, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, warningsOf } from './support/running-balancer.ts'

const test = suite('sessions', { timeoutMs: 60_000 })

type Pool = 'one' | 'two'
interface AppAnswer {
  readonly pid: number
  readonly result?: unknown
  readonly code?: string
}

let balancer: RunningBalancer

/** A request to the only worker of that pool. */
async function ask(pool: Pool, path: string): Promise<AppAnswer> {
  return json(await exchange(balancer.port, get(`/${pool}/${path}`)))
}

async function result(pool: Pool, path: string): Promise<unknown> {
  return (await ask(pool, path)).result
}

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'sessions-app.mjs',
      pools: { one: { workers: 1, rest: 'never' }, two: { workers: 1, rest: 'never' } },
      routes: [{ path: '/two/*', pool: 'two' }],
      ...{ restartDelayMs: 5, maxRestartDelayMs: 5 },
    },
  })
  await balancer.untilAllReady()
})

test.after(async () => assert.is(await balancer.stop(), 0))

test('a worker reads what another has written, also when it had cached the session', async () => {
  const id = await result('one', 'id')
  assert.is(await result('two', `get/${id}`), undefined)
  for (let count = 1; count <= 20; count++) {
    const [writer, reader]: Pool[] = count % 2 === 0 ? ['one', 'two'] : ['two', 'one']
    assert.is(await result(writer as Pool, `set/${id}/${count}`), true)
    assert.equal(await result(reader as Pool, `get/${id}`), { count })
    assert.equal(await result(writer as Pool, `get/${id}`), { count })
  }
})

test('a write is seen at once by a worker that was blocked during the change', async () => {
  const id = await result('one', 'id')
  await result('two', `set/${id}/0`)
  const client = await new RawClient(balancer.port).connected()
  const resultOnIt = async (path: string) =>
    json<AppAnswer>(await client.write(get(`/one/${path}`, { Connection: 'keep-alive' })).answer()).result
  for (let count = 1; count <= 5; count++) {
    assert.equal(await resultOnIt(`get/${id}`), { count: count - 1 })
    assert.is(await resultOnIt('busy/200'), true)
    // The kernel reports this connection before the pipe to the primary, so the request comes first.
    assert.is(await result('two', `set/${id}/${count}`), true)
    assert.equal(await resultOnIt(`get/${id}`), { count })
  }
  client.destroy()
})

test('a worker reads a cached session without a command', async () => {
  const id = await result('one', 'id')
  await result('two', `set/${id}/1`)
  await result('one', `get/${id}`)
  const { commands } = (await result('one', 'status')) as { commands: number }
  for (let turn = 0; turn < 5; turn++) await result('one', `get/${id}`)
  const status = (await result('one', 'status')) as { kind: string; state: string; commands: number; failed: number }
  assert.equal(
    { kind: status.kind, state: status.state, commands: status.commands, failed: status.failed },
    { kind: 'embedded', state: 'up', commands, failed: 0 },
  )
})

test('no update is lost among updates at the same time', async () => {
  const ids = await Promise.all([1, 2, 3].map(() => result('one', 'id')))
  await Promise.all(
    Array.from({ length: 16 }, async (_, client) => {
      const pool = client % 2 === 0 ? 'one' : 'two'
      for (let turn = 0; turn < 30; turn++) assert.ok(await result(pool, `add/${ids[(client + turn) % 3]}`))
    }),
  )
  for (const id of ids) assert.equal(await result('one', `get/${id}`), { count: 160 })
})

test('a large session is stored', async () => {
  const id = await result('one', 'id')
  assert.is(await result('one', `large/${id}/30000`), true)
  assert.is(((await result('two', `get/${id}`)) as { text: string }).text.length, 30_000)
  assert.is((await ask('one', `large/${id}/70000`)).code, 'ERR_SESSION_VALUE')
})

test('a destroyed session does not come back when a slow request saves it', async () => {
  for (let turn = 0; turn < 10; turn++) {
    const id = await result('one', 'id')
    await result('one', `set/${id}/1`)
    const late = result('two', `late/${id}/${turn * 5}`)
    const destroyed = await result('one', `destroy/${id}`)
    await late
    assert.is(destroyed, true)
    assert.is(await result('one', `get/${id}`), undefined)
    assert.is(await result('two', `get/${id}`), undefined)
  }
})

test('an id that the balancer has not signed finds no session and creates none', async () => {
  const id = String(await result('one', 'id'))
  const other = `${id.slice(0, 5)}${id[5] === 'A' ? 'B' : 'A'}${id.slice(6)}`
  assert.is(await result('one', `get/${other}`), undefined)
  assert.is((await ask('one', `set/${other}/1`)).code, 'ERR_SESSION_ID')
  assert.is((await ask('two', `add/${other}`)).code, 'ERR_SESSION_ID')
})

test('a regenerated id has the whole session, the old id has nothing', async () => {
  const id = await result('one', 'id')
  await result('two', `set/${id}/7`)
  const next = await result('one', `regenerate/${id}`)
  assert.equal(await result('two', `get/${next}`), { count: 7 })
  assert.is(await result('two', `get/${id}`), undefined)
  assert.is(await result('two', `set/${id}/8`), false)
})

test('sessions survive killed workers', async () => {
  const id = await result('one', 'id')
  await result('one', `set/${id}/3`)
  const { pid } = await ask('one', `get/${id}`)
  process.kill(pid, 'SIGKILL')
  await until(async () => (await balancer.status()).pools.every(({ workers }) => workers.every((worker) => worker.pid !== pid)))
  await balancer.untilAllReady()
  const after = await ask('one', `add/${id}`)
  assert.equal(after.result, { count: 4 })
  assert.is.not(after.pid, pid)
  assert.equal(await result('two', `get/${id}`), { count: 4 })
})

test('sessions survive a reload, and destroyed ones do not come back', async () => {
  const [id, ended] = [await result('one', 'id'), await result('one', 'id')]
  await result('one', `set/${id}/5`)
  await result('one', `set/${ended}/5`)
  await result('two', `destroy/${ended}`)
  const before = await ask('one', `get/${id}`)
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 0, err)
  const after = await ask('one', `get/${id}`)
  assert.equal(after.result, { count: 5 })
  assert.is.not(after.pid, before.pid)
  assert.is(await result('two', `set/${ended}/6`), false)
})

test('while the primary is stopped a request gets a 503 in time, and later requests succeed', async () => {
  const client = new RawClient(balancer.port)
  const asked = async (path: string) => client.write(get(`/one/${path}`, { Connection: 'keep-alive' })).answer()
  const id = json<AppAnswer>(await asked('id')).result
  assert.is(json<AppAnswer>(await asked(`set/${id}/1`)).result, true)
  process.kill(balancer.pid, 'SIGSTOP')
  try {
    assert.equal(json<AppAnswer>(await asked(`get/${id}`)).result, { count: 1 }, 'a cached session needs no primary')
    const { status, body } = await asked(`add/${id}`)
    assert.is(status, 503)
    assert.is(JSON.parse(body.toString()).code, 'ERR_SESSION_STORE')
  } finally {
    process.kill(balancer.pid, 'SIGCONT')
  }
  await until(async () => (await asked(`set/${id}/2`)).status === 200)
  assert.equal(json<AppAnswer>(await asked(`get/${id}`)).result, { count: 2 })
  client.destroy()
})

test('the log warns of nothing but the killed worker', async () => {
  const { pid } = await ask('one', 'id')
  process.kill(pid, 'SIGKILL')
  await balancer.untilLine((line) => line.pid === pid && /SIGKILL/.test(line.msg), 'the warning')
  await balancer.untilAllReady()
  const others = warningsOf(balancer).filter(({ msg }) => !/SIGKILL/.test(msg))
  assert.equal(others, [])
})

test.run()
