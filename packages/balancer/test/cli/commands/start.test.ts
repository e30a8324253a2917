// `balancer start` from its arguments to its exit code, around a fake balancer.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { main } from '../../../src/cli/main.ts'
import { summary } from '../../../src/cli/running/announcement.ts'
import { BalancerError } from '../../../src/errors.ts'
import { calmPool, type FakeIo, fakeIo, statusOf } from '../../support/fake-balancer.ts'

const test = suite('start command')
const bare = folderWith({ 'server.js': '' })
const configured = folderWith({
  'own.js': '',
  'other.js': '',
  'balancer.config.json':
    '{ "app": "own.js", "listen": 3000, "admin": false, "pools": { "web": { "workers": 2 }, "heavy": { "workers": 1, "app": "other.js" } } }',
})

function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-cli-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

/** Runs a start command: it starts successfully, and SIGTERM stops it. Returns the settings of its balancer. */
async function settingsOf(args: string[], cwd: string, env: NodeJS.ProcessEnv = {}) {
  const io = fakeIo(cwd, env)
  const exit = main(['start', ...args], io)
  const balancer = await Promise.race([io.balancer, exit.then((code) => Promise.reject(new Error(`exit code ${code}: ${io.stderr.text}`)))])
  balancer.started.resolve()
  balancer.stopped.resolve()
  io.signals.emit('SIGTERM', 'SIGTERM')
  assert.is(await exit, 0)
  return balancer.settings
}

/** A start command whose balancer is starting, without an admin page and with readable lines. */
async function running(args: string[] = []) {
  const io = fakeIo(bare)
  const exit = main(['start', 'server.js', '--admin', 'off', '--pretty', ...args], io)
  const balancer = await io.balancer
  await until(() => balancer.calls.includes('start'))
  return { io, exit, balancer }
}

const has = (io: FakeIo, text: string) => until(() => io.stdout.text.includes(text), 2_000, `'${text}' in\n${io.stdout.text}`)

test('an app without options', async () => {
  const settings = await settingsOf(['server.js', '--admin', '0'], bare)
  assert.is(settings.pools.length, 1)
  assert.is(settings.pools[0]?.app, join(bare, 'server.js'))
  assert.ok((settings.pools[0]?.workers ?? 0) >= 1)
  assert.is(settings.listen, undefined)
})

test('every option, and arguments of the app', async () => {
  const settings = await settingsOf(
    [
      'server',
      '-i',
      '4',
      '--listen',
      '127.0.0.1:0',
      '-l',
      'unix:app.sock',
      '--admin',
      'off',
      '--log-level',
      'warn',
      '--',
      '--verbose',
      '-i',
      '9',
    ],
    bare,
  )
  assert.equal([settings.pools[0]?.workers, settings.pools[0]?.args], [4, ['--verbose', '-i', '9']])
  assert.equal(
    settings.listen?.map(({ host, port, path }) => [host, port, path]),
    [
      ['127.0.0.1', 0, undefined],
      [undefined, undefined, join(bare, 'app.sock')],
    ],
  )
  assert.is(settings.admin, undefined)
})

test('a config in the folder, and options for its first pool', async () => {
  const plain = await settingsOf([], configured)
  assert.equal(
    plain.pools.map(({ name, workers, app }) => [name, workers, app]),
    [
      ['web', 2, join(configured, 'own.js')],
      ['heavy', 1, join(configured, 'other.js')],
    ],
  )
  const changed = await settingsOf(['other.js', '-i', '5', '-l', '4000', '--admin', '127.0.0.1:0'], configured)
  assert.equal(
    changed.pools.map(({ name, workers, app }) => [name, workers, app]),
    [
      ['web', 5, join(configured, 'other.js')],
      ['heavy', 1, join(configured, 'other.js')],
    ],
  )
  assert.equal([changed.listen?.[0]?.port, changed.admin?.explicit], [4000, true])
})

test('paths of a config are relative to its folder, the app of the command line to the working folder', async () => {
  const settings = await settingsOf(['server.js', '--config', join(configured, 'balancer.config.json')], bare)
  assert.equal(
    settings.pools.map(({ app, cwd }) => [app, cwd]),
    [
      [join(bare, 'server.js'), configured],
      [join(configured, 'other.js'), configured],
    ],
  )
})

const wrong: [name: string, args: string[], message: string | RegExp][] = [
  [
    'no app and no config',
    ['start'],
    "There is no app and no config here. Name the app, 'balancer start server.js', or write a balancer.config.ts (ERR_CONFIG)",
  ],
  ['no such app', ['start', 'sever.js'], /there is no app at \/.*sever\.js \(did you mean 'server\.js'\?\) \(ERR_APP_NOT_FOUND\)/],
  ['no such config', ['start', '--config', 'x.ts'], /There is no config file \/.*x\.ts \(ERR_CONFIG\)/],
  ['no workers', ['start', 'server.js', '-i', '0'], "Expected a positive integer or 'max'."],
  [
    'no port',
    ['start', 'server.js', '--listen', 'here'],
    "Expected a port, 'host:port', '[::1]:port' or the path of a socket, got 'here'.",
  ],
  ['no admin port', ['start', 'server.js', '--admin', 'here'], "Expected a port, 'host:port' or 'off'."],
  ['an unknown level', ['start', 'server.js', '--log-level', 'loud'], 'Allowed choices are trace, debug'],
  ['an unknown option', ['start', '--instence', '3'], 'Did you mean --instances?'],
  ['an unknown command', ['strat'], 'Did you mean start?'],
  ['two apps', ['start', 'a.js', 'b.js'], 'too many arguments'],
  ['no command', [], 'Usage: balancer'],
]
for (const [name, args, message] of wrong) {
  test(`exit code 2: ${name}`, async () => {
    const io = fakeIo(bare)
    assert.is(await main(args, io), 2)
    assert.match(io.stderr.text, message)
    assert.is(io.stdout.text, '')
  })
}

test('a usage error refers to the help of the command, or of the program', async () => {
  const lastLine = async (args: string[]) => {
    const io = fakeIo(bare)
    await main(args, io)
    return io.stderr.text.trim().split('\n').at(-1)
  }
  assert.is(await lastLine(['strat']), "Run 'balancer --help' for the commands.")
  for (const command of ['start', 'check', 'explain', 'status', 'logs'])
    assert.is(await lastLine([command, '--bogus']), `Run 'balancer ${command} --help' for its arguments and options.`)
})

test('it logs its address when it is ready, and stops on a signal with exit code 0', async () => {
  const { io, exit, balancer } = await running()
  balancer.started.resolve()
  await has(io, 'ready: http://127.0.0.1:3000 · web 2 workers')
  io.signals.emit('SIGTERM', 'SIGTERM')
  await has(io, 'SIGTERM: stopping; no requests under way, 2 workers to exit; once more to stop now')
  balancer.stopped.resolve()
  assert.is(await exit, 0)
  assert.equal(balancer.calls, ['start', 'stop SIGTERM'])
  assert.is(io.signals.eventNames().length, 0, 'no listener is left')
})

test('workers that are ready a moment later are part of the ready line', async () => {
  const { io, exit, balancer } = await running()
  const [pool] = statusOf().pools
  const comingUp = { pools: [{ ...calmPool, ...(pool as NonNullable<typeof pool>), ready: 1 }] }
  balancer.changes = comingUp
  balancer.started.resolve()
  await until(() => balancer.events.listenerCount('workerReady') > 2, 2_000, 'it waits for the other worker')
  assert.not.match(io.stdout.text, 'ready: ')
  balancer.changes = {}
  balancer.events.emit('workerReady', { pool: 'web', slot: 1, generation: 0, pid: 7, startMs: 5 })
  await has(io, 'ready: ')
  assert.match(io.stdout.text, /web\/1 ready after 5 ms .*\n.* ready: http:\/\/127\.0\.0\.1:3000 · web 2 workers\n/)
  io.signals.emit('SIGTERM', 'SIGTERM')
  balancer.stopped.resolve()
  assert.is(await exit, 0)
  assert.not.match(io.stdout.text, 'all workers are ready')
})

test('workers that are ready much later get a second line', async () => {
  const { io, exit, balancer } = await running()
  const [pool] = statusOf().pools
  balancer.changes = { pools: [{ ...calmPool, ...(pool as NonNullable<typeof pool>), ready: 1 }] }
  balancer.started.resolve()
  await has(io, 'ready: http://127.0.0.1:3000 · web 1 of 2 workers · connections are accepted, 1 worker is still starting\n')
  balancer.changes = {}
  balancer.events.emit('workerReady', { pool: 'web', slot: 1, generation: 0, pid: 7, startMs: 5 })
  balancer.events.emit('workerReady', { pool: 'web', slot: 1, generation: 0, pid: 7, startMs: 5 })
  await has(io, 'all workers are ready: web 2 workers\n')
  io.signals.emit('SIGTERM', 'SIGTERM')
  balancer.stopped.resolve()
  assert.is(await exit, 0)
  assert.is(io.stdout.text.split('all workers are ready').length, 2, 'once')
})

for (const [first, second, code] of [
  ['SIGINT', 'SIGINT', 130],
  ['SIGTERM', 'SIGTERM', 143],
  ['SIGINT', 'SIGTERM', 143],
] as const) {
  test(`${first}, then ${second}: exit code ${code}`, async () => {
    const { io, exit, balancer } = await running()
    balancer.started.resolve()
    await has(io, 'ready:')
    io.signals.emit(first, first)
    io.signals.emit(second, second)
    assert.is(await exit, code)
    assert.equal(balancer.calls, ['start', `stop ${first}`, 'stopNow'])
  })
}

const delayed = folderWith({ 'server.js': '', 'balancer.config.json': '{ "app": "server.js", "admin": 0, "shutdownDelayMs": 600000 }' })

/** A start command with a shutdown delay whose balancer is ready, and a request to its /readyz. */
async function runningWithDelay() {
  const io = fakeIo(delayed)
  const exit = main(['start', '--no-pretty'], io)
  const balancer = await io.balancer
  balancer.started.resolve()
  await has(io, 'ready:')
  const ready = (): Promise<Response> =>
    fetch(`${/http:\/\/127\.0\.0\.1:\d+\/(?=metrics)/.exec(io.stdout.text)}readyz`, { headers: { connection: 'close' } })
  return { io, exit, balancer, ready }
}

test('with a shutdown delay SIGTERM makes it not ready at once, and drains later', async () => {
  const { io, exit, balancer, ready } = await runningWithDelay()
  assert.is((await ready()).status, 200)
  io.signals.emit('SIGTERM', 'SIGTERM')
  const answer = await ready()
  assert.equal([answer.status, await answer.text()], [503, 'it is stopping\n'])
  await has(io, 'SIGTERM: not ready any more; accepts connections for another 600 s; once more to stop now')
  assert.equal(balancer.calls, ['start'])
  io.signals.emit('SIGTERM', 'SIGTERM')
  assert.is(await exit, 143)
  assert.equal(balancer.calls, ['start', 'stop SIGTERM', 'stopNow'])
})

test('it drains when the shutdown delay ends', async () => {
  const io = fakeIo(
    folderWith({ 'server.js': '', 'balancer.config.json': '{ "app": "server.js", "admin": false, "shutdownDelayMs": 20 }' }),
  )
  const exit = main(['start', '--pretty'], io)
  const balancer = await io.balancer
  balancer.started.resolve()
  await has(io, 'ready:')
  io.signals.emit('SIGTERM', 'SIGTERM')
  assert.equal(balancer.calls, ['start'])
  await until(() => balancer.calls.length > 1)
  balancer.stopped.resolve()
  assert.is(await exit, 0)
  assert.equal(balancer.calls, ['start', 'stop SIGTERM'])
})

test('SIGINT does not wait for the shutdown delay', async () => {
  const { io, exit, balancer } = await runningWithDelay()
  io.signals.emit('SIGINT', 'SIGINT')
  assert.equal(balancer.calls, ['start', 'stop SIGINT'])
  balancer.stopped.resolve()
  assert.is(await exit, 0)
})

test('a signal during the start stops it', async () => {
  const { io, exit, balancer } = await running()
  io.signals.emit('SIGINT', 'SIGINT')
  balancer.started.reject(new Error('stopped before it was ready'))
  balancer.stopped.resolve()
  assert.is(await exit, 0)
  assert.is(io.stderr.text, '')
  assert.not.match(io.stdout.text, 'ready:')
})

test('a start that fails prints one line and exits with the code of its error', async () => {
  const { io, exit, balancer } = await running()
  const error = new BalancerError('ERR_APP_FAILED', 'pool web: the app exits with code 1', { source: 'app' })
  balancer.events.emit('failed', { error })
  balancer.started.reject(error)
  assert.is(await exit, 4)
  assert.is(io.stderr.text, 'balancer: pool web: the app exits with code 1 (ERR_APP_FAILED)\n')
  assert.equal(balancer.calls, ['start', 'stopNow'])
})

test('a later failure stops it with the exit code of its error', async () => {
  const { io, exit, balancer } = await running()
  balancer.started.resolve()
  await has(io, 'ready:')
  balancer.events.emit('failed', { error: new BalancerError('ERR_LISTEN', 'the address is gone', { source: 'system' }) })
  balancer.stopped.resolve()
  assert.is(await exit, 3)
  assert.match(io.stdout.text, 'the address is gone')
})

test('an admin port in use is an error if the user chose it', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  atSuiteEnd(() => other.close())
  const io = fakeIo(bare)
  const { port } = other.address() as { port: number }
  assert.is(await main(['start', 'server.js', '--admin', String(port)], io), 3)
  assert.match(
    io.stderr.text,
    `The admin page can't listen on 127.0.0.1:${port}: it is in use by this process itself; choose another address with --admin or the option 'admin', or turn the page off with --admin off (ERR_ADDRESS_IN_USE)`,
  )
  assert.equal((await io.balancer).calls, [])
})

test('the ready line has URLs, workers and the metrics page', () => {
  const { pools } = statusOf()
  const heavy = { ...calmPool, name: 'heavy', ready: 1, desired: 1, boardFaults: 0, workers: [] }
  const slow = { ...calmPool, name: 'slow', ready: 1, desired: 3, boardFaults: 0, workers: [] }
  assert.is(
    summary({ addresses: ['[::]:3000', '/run/app.sock'], pools: [...pools, heavy, slow] }, 'http://127.0.0.1:9400/metrics'),
    'ready: http://localhost:3000 /run/app.sock · web 2 workers · heavy 1 worker · slow 1 of 3 workers · connections are accepted, 2 workers are still starting · metrics http://127.0.0.1:9400/metrics',
  )
  assert.is(
    summary({ addresses: ['[::1]:80', '0.0.0.0:81', 'example.com:82'], pools: [] }, undefined),
    'ready: http://[::1]:80 http://localhost:81 http://example.com:82',
  )
})

test.run()
