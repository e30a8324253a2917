// What `balancer start` does for its operator: reload on command and on SIGHUP, stop, and open the control socket.

import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { main } from '../../../src/cli/main.ts'
import { BalancerError } from '../../../src/errors.ts'
import { deferred, fakeIo } from '../../support/fake-balancer.ts'
import { command, folderWith, running } from '../started-command.ts'

const test = suite('running operations', { timeoutMs: 15_000 })

test('reload reads the config again, and the options of the command line still win', async () => {
  const { folder, balancer, end } = await running(
    { 'server.js': '', 'balancer.config.json': '{"app":"server.js","pools":{"web":{"workers":1,"args":["a"]},"heavy":{"workers":1}}}' },
    ['-i', '3'],
  )
  writeFileSync(
    join(folder, 'balancer.config.json'),
    '{"app":"server.js","pools":{"web":{"workers":1,"args":["b"]},"heavy":{"workers":2}}}',
  )
  assert.is((await command(folder, ['reload'])).code, 0)
  const [{ pools }] = balancer.reloads as [(typeof balancer.reloads)[0]]
  assert.equal(
    pools.map(({ name, workers, args }) => [name, workers, args]),
    [
      ['web', 3, ['b']],
      ['heavy', 2, []],
    ],
  )
  assert.equal(pools[0] && balancer.reloads[0]?.ticketKeys, balancer.settings.ticketKeys, 'tickets from before stay valid')
  await end()
})

test('a reload with a faulty config fails with all faults and changes nothing', async () => {
  const { folder, balancer, io, end } = await running({ 'server.js': '', 'balancer.config.json': '{"app":"server.js"}' }, [])
  writeFileSync(join(folder, 'balancer.config.json'), '{"app":"server.js","pools":{"web":{"workers":0}},"maxHeadBytes":1}')
  const { code, err } = await command(folder, ['reload'])
  assert.is(code, 2)
  assert.match(err, 'balancer.config.json has 2 faults:\n  pools.web.workers: expected a positive integer')
  assert.match(err, '  maxHeadBytes: expected bytes from 64 to 1048576, got 1 (ERR_CONFIG)')
  io.signals.emit('SIGHUP', 'SIGHUP')
  await until(() => io.stdout.text.includes('maxHeadBytes: expected bytes'))
  assert.match(io.stdout.text, 'SIGHUP: reloading')
  assert.equal(balancer.reloads, [])
  await end()
})

test('a reload refuses changes that need an upgrade or a restart', async () => {
  const { folder, balancer, end } = await running({ 'server.js': '', 'balancer.config.json': '{"app":"server.js","listen":3000}' }, [])
  writeFileSync(join(folder, 'balancer.config.json'), '{"app":"server.js","listen":[4000,"127.0.0.1:3000"],"control":false}')
  const { code, err } = await command(folder, ['reload'])
  assert.is(code, 2)
  assert.match(err, 'has 2 faults:')
  assert.match(
    err,
    "listen: can't change in a reload (it is *:3000, and would be *:4000, 127.0.0.1:3000); 'balancer upgrade' or a restart does that",
  )
  assert.match(err, "control: can't change in a reload (it is the default one, and would be off)")
  assert.equal(balancer.reloads, [])
  await end()
})

test('SIGHUP reloads; several signals during a reload lead to one more', async () => {
  const { io, balancer, end } = await running()
  const done = deferred<{ message: string }>()
  balancer.outcomes.reload = () => done.promise
  for (let i = 0; i < 3; i++) io.signals.emit('SIGHUP', 'SIGHUP')
  await until(() => balancer.reloads.length === 1)
  for (let i = 0; i < 3; i++) io.signals.emit('SIGHUP', 'SIGHUP')
  done.resolve({ message: 'done' })
  await until(() => balancer.reloads.length === 2)
  await new Promise((resolve) => setImmediate(resolve))
  assert.is(balancer.reloads.length, 2)
  await end()
})

test('SIGHUP during the start reloads after the start', async () => {
  const folder = folderWith({ 'server.js': '' })
  const io = fakeIo(folder)
  const exit = main(['start', '--admin', 'off', '--pretty', 'server.js'], io)
  const balancer = await io.balancer
  const { code, err } = await until(async () => {
    const answer = await command(folder, ['reload'])
    return answer.code === 8 ? undefined : answer
  })
  assert.equal([code, err], [7, "balancer: The balancer can't reload now: it is still starting (ERR_BUSY)\n"])
  io.signals.emit('SIGHUP', 'SIGHUP')
  assert.equal(balancer.reloads, [])
  balancer.started.resolve()
  await until(() => balancer.reloads.length === 1)
  balancer.stopped.resolve()
  io.signals.emit('SIGTERM', 'SIGTERM')
  assert.is(await exit, 0)
})

test('SIGHUP from a lost terminal stops it', async () => {
  const { io, balancer, exit } = await running()
  io.hasLostTerminal = () => true
  io.signals.emit('SIGHUP', 'SIGHUP')
  balancer.stopped.resolve()
  assert.is(await exit, 0)
  assert.equal(balancer.calls, ['start', 'stop the terminal is gone'])
})

test('stop works as SIGTERM, and returns when the process has exited', async () => {
  const { folder, balancer, exit } = await running()
  let isThere = true
  void exit.then(() => {
    isThere = false
  })
  const stopped = command(folder, ['stop'], { isAlive: () => isThere })
  await until(() => balancer.calls.includes("stop 'balancer stop'"))
  assert.equal((await command(folder, ['reload'])).code, 7)
  balancer.stopped.resolve()
  const { code, out } = await stopped
  assert.is(code, 0)
  assert.match(out, /^switchyard-control-\w+ has stopped \(pid \d+\)\n$/)
  assert.is(await exit, 0)
  assert.equal(readdirSync(folder), ['server.js'], 'socket and folder are gone')
  assert.is((await command(folder, ['stop'])).code, 8)
})

test('stop --now kills the workers', async () => {
  const { folder, balancer, exit } = await running()
  const waiting = command(folder, ['stop'])
  await until(() => balancer.calls.includes("stop 'balancer stop'"))
  assert.is((await command(folder, ['stop', '--now'])).code, 0)
  assert.is((await waiting).code, 0)
  assert.is(await exit, 0)
  assert.equal(balancer.calls, ['start', "stop 'balancer stop'", 'stopNow'])
})

test('--control off, and --control with a path', async () => {
  const off = await running(undefined, ['server.js', '--control', 'off'])
  assert.is((await command(off.folder, ['status'])).code, 8)
  await off.end()
  const named = await running(undefined, ['server.js', '--control', 'run/me.sock'])
  assert.is((await command(named.folder, ['status', '--control', 'run/me.sock'])).code, 0)
  await named.end()
})

test('a control socket that can’t be opened is an error if the user named it, otherwise a warning', async () => {
  const folder = folderWith({ 'server.js': '' })
  const io = fakeIo(folder)
  mkdirSync(join(folder, 'open'), { mode: 0o755 })
  assert.is(await main(['start', '--admin', 'off', 'server.js', '--control', 'open/a.sock'], io), 11)
  assert.match(
    io.stderr.text,
    `Other users may enter the folder of the control socket (its mode is 755, not 700): ${folder}/open (ERR_CONTROL)`,
  )
  assert.equal((await io.balancer).calls, [])

  mkdirSync(join(folder, `switchyard-${process.getuid?.()}`), { mode: 0o755 })
  const warned = fakeIo(folder)
  const exit = main(['start', '--admin', 'off', '--pretty', 'server.js'], warned)
  const balancer = await warned.balancer
  balancer.started.resolve()
  await until(() => warned.stdout.text.includes('ready:'))
  assert.match(
    warned.stdout.text,
    "WARN: this balancer has no control socket, so 'balancer status' and 'balancer reload' can't reach it: Other users may enter",
  )
  balancer.stopped.resolve()
  warned.signals.emit('SIGTERM', 'SIGTERM')
  assert.is(await exit, 0)
})

test('a start that fails because a balancer uses the port names it, with the commands to run', async () => {
  const { folder, end } = await running()
  const fails = async (cwd: string, args: string[], error: Error) => {
    const io = fakeIo(cwd, { TMPDIR: folder })
    const exit = main(['start', 'server.js', '--admin', 'off', ...args], io)
    const balancer = await io.balancer
    await until(() => balancer.calls.includes('start'))
    balancer.started.reject(error)
    await exit
    return io.stderr.text
  }
  const inUse = (port: number) => new BalancerError('ERR_ADDRESS_IN_USE', `127.0.0.1:${port} is in use: stop it`, { source: 'system' })
  const here =
    /is in use: stop it\n {2}balancer '.+' \(pid \d+\) runs already and uses it\..*'balancer reload'.*'balancer stop'.*'balancer upgrade' \(ERR_ADDRESS_IN_USE\)\n$/
  assert.match(await fails(folder, [], inUse(3000)), here)
  const elsewhere = mkdtempSync(join(folder, 'elsewhere-'))
  writeFileSync(join(elsewhere, 'server.js'), '')
  assert.match(await fails(elsewhere, [], inUse(3000)), /'balancer reload --control \/.+\.sock'/)
  const crashed = new BalancerError('ERR_APP_FAILED', 'Error: listen EADDRINUSE: address already in use :::3000; exit code 1', {
    source: 'app',
  })
  assert.match(await fails(folder, [], crashed), /runs already and uses it/)
  assert.not.match(await fails(folder, [], inUse(3001)), 'runs already')
  assert.not.match(
    await fails(folder, [], new BalancerError('ERR_LISTEN', 'cannot listen on 127.0.0.1:3000', { source: 'system' })),
    'runs already',
  )
  await end()
})

test('a second balancer in the same folder runs without a control socket', async () => {
  const { folder, end } = await running()
  const io = fakeIo(folder)
  const exit = main(['start', '--admin', 'off', '--pretty', 'server.js'], io)
  const second = await io.balancer
  second.started.resolve()
  await until(() => io.stdout.text.includes('ready:'))
  assert.match(
    io.stdout.text,
    /balancer '.+' \(pid \d+\) of the same folder runs already and uses \/.+\.sock\. Choose another path with --control/,
  )
  second.stopped.resolve()
  io.signals.emit('SIGTERM', 'SIGTERM')
  assert.is(await exit, 0)
  assert.is((await command(folder, ['status'])).code, 0)
  await end()
})

test('a new primary takes over the socket once it serves', async () => {
  const first = await running()
  const io = Object.assign(fakeIo(first.folder), { isNewPrimary: true })
  const exit = main(['start', '--admin', 'off', '--pretty', '--log-level', 'debug', 'server.js', '-i', '7'], io)
  const next = await io.balancer
  next.changes = { addresses: ['127.0.0.1:4000'] }
  assert.match((await command(first.folder, ['status'])).out, 'http://127.0.0.1:3000')
  next.started.resolve()
  await until(() => io.stdout.text.includes('ready:'))
  assert.match((await command(first.folder, ['status'])).out, 'http://127.0.0.1:4000')
  await first.end()
  assert.match((await command(first.folder, ['status'])).out, 'http://127.0.0.1:4000')
  next.stopped.resolve()
  io.signals.emit('SIGTERM', 'SIGTERM')
  assert.is(await exit, 0)
  assert.equal(readdirSync(first.folder), ['server.js'])
})

test.run()
