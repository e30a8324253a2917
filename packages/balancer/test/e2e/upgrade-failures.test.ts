// Failed upgrades: the old primary serves on, and the command says why.

import { readdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { startCommand } from './support/commands.ts'
import { exchange, get, json, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, temporaryFolder } from './support/running-balancer.ts'
import {
  firstEnded,
  isAlive,
  newPrimariesOf,
  startUpgradable,
  stopServing,
  tryUpgrade,
  untilGone,
  upgrade,
} from './support/upgradable-balancer.ts'

const test = suite('upgrade failures', { timeoutMs: 60_000 })
const KEEP = { Connection: 'keep-alive' }
const pools = { web: { workers: 2 } }
/** Of new primaries that fail. */
const single = { web: { workers: 1 } }

const workersOf = async (balancer: RunningBalancer) => (await balancer.status()).pools[0]?.workers.map(({ pid }) => pid).sort()

function appThat(code: string): string {
  const file = join(temporaryFolder(), 'app.mjs')
  writeFileSync(file, code)
  return file
}

const LISTENS = "import { createServer } from 'node:http'\ncreateServer((_request, response) => response.end('new')).listen(3000)\n"

/** Blocks the loop without using CPU time. */
const HANGS = '() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)'

const settlingFor = (settleMs: number) => ({ web: { workers: 1, reload: { settleMs } } })

const bad: readonly [title: string, spoil: (balancer: RunningBalancer) => void, message: RegExp][] = [
  [
    'a config that can’t be read',
    ({ temporary }) => writeFileSync(join(temporary, 'balancer.config.json'), '{ "app": '),
    /balancer\.config\.json can't be read/,
  ],
  [
    'a config with faults',
    (balancer) => balancer.configure({ app: 'echo-app.mjs', pools: { web: { workers: 0 } } }),
    /pools\.web\.workers/,
  ],
  [
    'an app with a syntax error',
    (balancer) => balancer.configure({ app: appThat('const = 1'), pools: single, restartDelayMs: 10 }),
    /SyntaxError: Unexpected token '='/,
  ],
  [
    'an app that exits after it has listened for a while',
    (balancer) => balancer.configure({ app: appThat(`${LISTENS}setTimeout(() => process.exit(7), 400)`), pools: settlingFor(10_000) }),
    /web\/\d exited with code 7/,
  ],
  [
    'an app that never listens',
    (balancer) => balancer.configure({ app: 'silent-app.mjs', pools: single, startTimeoutMs: 500 }),
    /web\/\d was ended by SIGKILL|no worker of pool 'web' came up/,
  ],
  [
    'an app whose loop hangs after it has listened',
    (balancer) =>
      balancer.configure({ app: appThat(`${LISTENS}setTimeout(${HANGS}, 200)`), pools: settlingFor(1_000), startTimeoutMs: 4_000 }),
    /loop hangs/,
  ],
  [
    'an address that another process has',
    (balancer) => balancer.configure({ app: 'echo-app.mjs', pools: single, listen: ['127.0.0.1:0', `127.0.0.2:${taken}`] }),
    /is in use/,
  ],
]

let taken = 0

test(
  'each failure changes nothing, and a good upgrade succeeds afterwards',
  async () => {
    const other = createServer().listen(0, '127.0.0.2')
    await untilEvent(other, 'listening')
    taken = (other.address() as AddressInfo).port
    const env = { SERVER_OPTIONS: JSON.stringify({ keepAliveTimeout: 600_000 }) }
    const balancer = await startUpgradable({ config: { app: 'echo-app.mjs', pools }, env })
    const workers = await workersOf(balancer)
    const kept = new RawClient(balancer.port)
    for (const [title, spoil, message] of bad) {
      spoil(balancer)
      const { code, err } = await tryUpgrade(balancer)
      assert.is(code, 10, `${title}: ${err}`)
      assert.match(err, /ERR_UPGRADE_FAILED/)
      assert.match(err, message, `${title}: ${err}`)
      await untilGone(newPrimariesOf(balancer).at(-1) ?? balancer.pid)
      assert.equal(await workersOf(balancer), workers, title)
      const answer = await kept.write(get('/', KEEP)).answer()
      assert.is(answer.status, 200, `${title}: ${answer.body}`)
      assert.ok(workers?.includes(json<{ pid: number }>(answer).pid))
      assert.is((await exchange(balancer.port, get('/'))).status, 200)
    }
    balancer.configure({ app: 'echo-app.mjs', pools })
    await upgrade(balancer)
    assert.is(await firstEnded(balancer), 0)
    kept.destroy()
    await stopServing(balancer)
    assert.equal(readdirSync(balancer.temporary), ['balancer.config.json'])
    other.close()
  },
  { timeoutMs: 120_000 },
)

test('a stop while the new primary starts ends both', async () => {
  const balancer = await startUpgradable({ config: { app: 'echo-app.mjs', pools: single } })
  balancer.configure({ app: 'silent-app.mjs', pools: single, startTimeoutMs: 600_000 })
  const asked = startCommand(balancer, ['upgrade'])
  const [pid] = (await until(() => (newPrimariesOf(balancer).length > 0 ? newPrimariesOf(balancer) : undefined), 15_000)) as [number]
  await until(() => balancer.lines.filter(({ msg }) => / started \(pid /.test(msg)).length === 2, 15_000, 'workers of the new primary')
  const workers = balancer.lines.flatMap(({ msg }) => Number(/ started \(pid (\d+)\)$/.exec(msg)?.[1]) || [])
  assert.is(await balancer.stop(), 0)
  assert.is((await asked.ended).code, 10)
  for (const one of [pid, ...workers]) await untilGone(one)
})

test('a second upgrade or a reload is refused during an upgrade', async () => {
  const balancer = await startUpgradable({ config: { app: 'echo-app.mjs', pools: single } })
  balancer.configure({ app: 'silent-app.mjs', pools: single, startTimeoutMs: 600_000 })
  const first = startCommand(balancer, ['upgrade'])
  await until(() => newPrimariesOf(balancer).length === 1, 15_000)
  for (const command of ['upgrade', 'reload']) {
    const second = startCommand(balancer, [command])
    assert.is((await second.ended).code, 7, second.output())
  }
  assert.is(await balancer.stop(), 0)
  assert.is((await first.ended).code, 10)
})

test('a new primary whose old primary is killed serves', async () => {
  const balancer = await startUpgradable({ config: { app: 'echo-app.mjs', pools: single } })
  const { port } = balancer
  const asked = startCommand(balancer, ['upgrade'])
  const [pid] = (await until(() => (newPrimariesOf(balancer).length > 0 ? newPrimariesOf(balancer) : undefined), 15_000)) as [number]
  await until(() => balancer.lines.filter(({ msg }) => / started \(pid /.test(msg)).length === 2, 15_000, 'workers of the new primary')
  balancer.child.process.kill('SIGKILL')
  await asked.ended
  // The port is never closed, so the client waits for an answer.
  const { status, body } = await exchange(port, get('/'), 30_000)
  assert.is(status, 200, `${body}\n${balancer.child.output()}`)
  assert.ok(isAlive(pid))
  await stopServing(balancer)
})

test.run()
