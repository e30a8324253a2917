// The commands status, logs and stop against a running balancer.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import type { ControlStatus } from '../../src/control/control-protocol.ts'
import { runCommand, startCommand } from './support/commands.ts'
import { once } from './support/once.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('control', { timeoutMs: 30_000 })

const two = { app: 'echo-app.mjs', pools: { web: { workers: 2 } }, drainTimeoutMs: 300_000 }
const config = { ...two, pools: { web: { workers: 1 } } }

/** The control socket of the ready line. */
function socketOf(balancer: RunningBalancer): string {
  return String(balancer.lines.find(({ msg }) => msg.startsWith('ready:'))?.control)
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('status shows pools and workers; only this user may use the socket', async () => {
  const balancer = await startBalancer({ config: two })
  await balancer.untilAllReady()
  await exchange(balancer.port, get('/'))
  const { code, out } = await runCommand(balancer, ['status', '--json'])
  assert.is(code, 0)
  const status = JSON.parse(out) as ControlStatus
  assert.is(status.pid, balancer.pid)
  assert.is(status.connections.accepted, 1)
  assert.equal(
    status.pools.map(({ name, ready, workers }) => [name, ready, workers.length]),
    [['web', 2, 2]],
  )
  const text = await runCommand(balancer, ['status'])
  assert.is(text.code, 0)
  for (const { pid } of status.pools[0]?.workers ?? []) assert.match(text.out, ` ${pid} `)
  const socket = socketOf(balancer)
  assert.equal([statSync(socket).mode & 0o777, statSync(join(socket, '..')).mode & 0o777], [0o600, 0o700])
  assert.is(await balancer.stop(), 0)
  assert.equal(
    readdirSync(balancer.temporary).filter((name) => name.startsWith('switchyard')),
    [],
  )
  const after = await runCommand(balancer, ['status'])
  assert.is(after.code, 8)
  assert.match(after.err, `No balancer runs for ${balancer.temporary}`)
})

test('logs prints the last lines and follows the log', async () => {
  const balancer = await startBalancer({ config })
  await balancer.untilAllReady()
  const { code, out } = await runCommand(balancer, ['logs'])
  assert.is(code, 0)
  assert.match(out, /INFO: web\/0 ready after \d+ ms/)
  const follower = startCommand(balancer, ['logs', '-f', '-n', '0', 'web'])
  // It is unknown when the command begins to follow, so requests are logged until one is seen.
  for (let i = 0; !/web\/\d \| slow s\d+ begun/.test(follower.output()); i++) await exchange(balancer.port, get(`/slow?ms=1&id=s${i}`))
  assert.is(await balancer.stop(), 0)
  assert.equal(await follower.ended, { code: 0, signal: null }, follower.output())
})

test('stop finishes started requests, shows its progress, and ends when the process has exited', async () => {
  const balancer = await startBalancer({ config })
  const hold = new RequestHold()
  const slow = new RawClient(balancer.port).write(hold.request('/wait'))
  await balancer.untilLine(({ msg }) => msg === 'wait begun', 'the slow request')
  const stop = startCommand(balancer, ['stop'])
  await stop.untilOutput(/draining for at most 300 s/)
  assert.ok(isAlive(balancer.pid))
  hold.release()
  assert.is((await slow.answer()).status, 200)
  assert.equal(await stop.ended, { code: 0, signal: null }, stop.output())
  assert.match(stop.stdout(), new RegExp(`^balancer-e2e-\\w+ has stopped \\(pid ${balancer.pid}\\)\n$`))
  assert.not.ok(isAlive(balancer.pid))
  assert.is(await balancer.ended(), 0)
  slow.destroy()
})

test('stop --now cuts off started requests', async () => {
  const balancer = await startBalancer({ config })
  const slow = new RawClient(balancer.port).write(get('/slow?ms=600000&id=s'))
  await balancer.untilLine(({ msg }) => msg === 'slow s begun', 'the slow request')
  const { code, err } = await runCommand(balancer, ['stop', '--now'])
  assert.is(code, 0, err)
  await slow.over()
  assert.is(await balancer.ended(), 0)
  slow.destroy()
})

test('the control socket of a killed balancer is replaced by the next one', async () => {
  const first = await startBalancer({ config })
  const socket = socketOf(first)
  first.child.process.kill('SIGKILL')
  await first.ended()
  assert.ok(statSync(socket).isSocket())
  assert.is((await runCommand(first, ['status', '--control', socket])).code, 8)
  const second = await startBalancer({ config, args: ['--control', socket] })
  const { code, out } = await runCommand(second, ['status', '--json', '--control', socket])
  assert.equal([code, JSON.parse(out).pid], [0, second.pid])
  assert.is(await second.stop(), 0)
})

/** The command waits for long, so it starts before the other tests. */
const askStopped = once(async () => {
  const balancer = await startBalancer({ config })
  balancer.child.process.kill('SIGSTOP')
  return { balancer, asked: startCommand(balancer, ['status']) }
})

test.before(askStopped)

test('commands report a balancer that does not answer', async () => {
  const { balancer, asked } = await askStopped()
  await asked.untilOutput(/no answer within 10 s/, 15_000)
  assert.is((await asked.ended).code, 8)
  balancer.child.process.kill('SIGCONT')
  assert.is((await runCommand(balancer, ['status'])).code, 0)
  assert.is(await balancer.stop(), 0)
})

test.run()
