// The balancer as the first process of a container, here of its own PID namespace.

import { readdirSync, readFileSync } from 'node:fs'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('container', { timeoutMs: 60_000 })

/** Without root rights the test needs a user namespace, too. */
const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
const under = ['unshare', ...asRoot, '--pid', '--mount-proc', '--fork', '--kill-child']

interface Child {
  readonly pid: number
  readonly name: string
  readonly state: string
}

/** By PIDs outside the namespace. */
function childrenOf(parent: number): Child[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      const [, name = '', state = '', ppid] = /^\d+ \((.*)\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? []
      return Number(ppid) === parent ? [{ pid: Number(pid), name, state }] : []
    } catch {
      return []
    }
  })
}

const start = () => startBalancer({ config: { app: 'orphan-app.mjs', pools: { web: { workers: 1 } }, restartDelayMs: 20 }, under })

/** The balancer's PID outside the namespace. */
const outside = (balancer: RunningBalancer) => childrenOf(balancer.pid)[0]?.pid as number

test('orphaned processes are reaped, and the exits of workers are still reported', async () => {
  const balancer = await start()
  const first = outside(balancer)
  const left = () => childrenOf(first).filter(({ name }) => name === 'sleep')
  for (let turn = 0; turn < 12; turn++) assert.is((await exchange(balancer.port, get('/'))).body.toString(), 'left')
  await until(() => left().length > 0, 10_000, 'orphans')
  const worker = childrenOf(first).find(({ name, state }) => name !== 'sleep' && state !== 'Z')
  process.kill(worker?.pid as number, 'SIGKILL')
  await balancer.untilLine(({ msg }) => /^web\/0 was ended by SIGKILL/.test(msg), 'the exit of the worker')
  await until(() => left().length === 0, 15_000, 'no orphans left')
  assert.equal(
    childrenOf(first).filter(({ state }) => state === 'Z'),
    [],
  )
  process.kill(first, 'SIGTERM')
  assert.is(await balancer.ended(), 0)
})

test('an upgrade is refused because the container would end', async () => {
  const balancer = await start()
  const { code, err } = await runCommand(balancer, ['upgrade'])
  assert.is(code, 10, err)
  assert.match(err, /the container would end with this process: start a new container instead/)
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  process.kill(outside(balancer), 'SIGTERM')
  assert.is(await balancer.ended(), 0)
})

test.run()
