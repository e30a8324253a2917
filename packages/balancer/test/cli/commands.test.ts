// The commands that speak with a balancer that runs, from their arguments to their exit codes. It runs in this process, around a balancer that does nothing.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { parsePoolOrSlot, parseScale, parseSlot } from '../../src/cli/commands/slot-argument.ts'
import { main } from '../../src/cli/main.ts'
import { BalancerError } from '../../src/errors.ts'
import { calmPool, deferred, type FakeBalancer, type FakeIo, fakeIo, statusOf, workerOf } from '../support/fake-balancer.ts'

const test = suite('cli control', { timeoutMs: 15_000 })

function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-control-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

interface Running {
  folder: string
  io: FakeIo
  balancer: FakeBalancer
  exit: Promise<number>
  end(): Promise<void>
}

/** `balancer start` that is up. */
async function running(
  files: Record<string, string> = { 'server.js': '' },
  args: string[] = ['server.js'],
  changes: Partial<FakeIo> = {},
): Promise<Running> {
  const folder = folderWith(files)
  const io = Object.assign(fakeIo(folder), changes)
  const exit = main(['start', '--admin', 'off', '--pretty', ...args], io)
  const balancer = await Promise.race([io.balancer, exit.then((code) => Promise.reject(new Error(`exit code ${code}: ${io.stderr.text}`)))])
  balancer.started.resolve()
  await until(() => io.stdout.text.includes('ready:'))
  const end = async (): Promise<void> => {
    balancer.stopped.resolve()
    io.signals.emit('SIGTERM', 'SIGTERM')
    await exit
  }
  return { folder, io, balancer, exit, end }
}

interface Answer {
  code: number
  out: string
  err: string
}

/** Another command, in the same folder unless told otherwise. */
async function command(folder: string, args: string[], changes: Partial<FakeIo> = {}): Promise<Answer> {
  const io = Object.assign(fakeIo(folder), changes)
  const code = await main(args, io)
  return { code, out: io.stdout.text, err: io.stderr.text }
}

const jsonLines = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('status as tables', async () => {
  const { folder, balancer, end } = await running()
  const load = { ...workerOf(0).load, inFlight: 3, connections: 12, utilisation: 0.345, latencyMs: 1.26, memoryBytes: 85 * 1024 ** 2 }
  const details = { inStateMs: 7_260_000, drainLeftMs: null, retiring: null }
  balancer.changes = {
    pools: [
      {
        ...calmPool,
        name: 'web',
        ready: 1,
        desired: 4,
        boardFaults: 0,
        ...{ generation: 3, held: [2], broken: [3] },
        workers: [
          workerOf(1, { state: 'starting', pid: 7, ...details, ...{ inStateMs: 250 } }),
          workerOf(0, { generation: 3, load, restarts: 2, ...details }),
          workerOf(0, { generation: 2, state: 'draining', pid: 6, load, ...details, ...{ drainLeftMs: 25_000, retiring: 'reload' } }),
          workerOf(2, { state: 'gone', pid: 5 }),
        ],
      },
    ],
  }
  const { code, out } = await command(folder, ['status'])
  assert.is(code, 0)
  const lines = out.split('\n')
  assert.match(lines[0] as string, /^switchyard-control-\w+ \(pid \d+, up .+, version \d+\.\d+\.\d+, channel native\)$/)
  assert.is(lines[1], 'listens on http://127.0.0.1:3000')
  const rows = lines.map((line) => line.split(/ {2,}/))
  assert.equal(
    rows.find(([first]) => first === 'web'),
    ['web', '1 of 4', '3', 'web/2', 'web/3'],
  )
  assert.equal(
    rows.filter(([first]) => /^web\/\d$/.test(first as string)),
    [
      [
        'web/0',
        'draining',
        '2 h 1 min',
        '2',
        '6',
        '3',
        '12',
        '35 %',
        '1.3 ms',
        '85 MiB',
        '0',
        '12 connections, 3 requests; at most 25 s more',
      ],
      ['web/0', 'ready', '2 h 1 min', '3', '1000', '3', '12', '35 %', '1.3 ms', '85 MiB', '2'],
      ['web/1', 'starting', '250 ms', '0', '7', '0', '0', '0 %', '0.0 ms', '0 MiB', '0'],
    ],
  )
  assert.match(
    out,
    "web/3 has failed too often and is not started again: 'balancer logs web/3' tells why, 'balancer restart web/3' tries again.",
  )
  assert.match(out, "web/2 was taken out of service: 'balancer restart web/2' brings it back.")
  await end()
})

test('status of a balancer that is older than the command', async () => {
  const { folder, balancer, end } = await running()
  const { name, ready, desired, workers, boardFaults } = statusOf().pools[0] as (typeof balancer.changes.pools & object)[0]
  balancer.changes = { pools: [{ name, ready, desired, workers, boardFaults } as never] }
  const { code, out } = await command(folder, ['status'])
  assert.is(code, 0)
  assert.match(out, /^web {3}2 of 2 {2}- {11}-/m)
  await end()
})

test('status as JSON', async () => {
  const { folder, end } = await running()
  const { code, out } = await command(folder, ['status', '--json'])
  const { pid, name, pools } = JSON.parse(out)
  assert.equal([code, pid, name, pools], [0, process.pid, folder.split('/').at(-1), statusOf().pools])
  await end()
})

const operations: [args: string[], call: string][] = [
  [['reload'], 'reload all'],
  [['reload', 'web'], 'reload web'],
  [['rollback'], 'rollback'],
  [['scale', 'web', '6'], 'scale web {"to":6}'],
  [['scale', 'web', '+2'], 'scale web {"by":2}'],
  [['scale', 'web', '-1'], 'scale web {"by":-1}'],
  [['scale', '3'], 'scale web {"to":3}'],
  [['scale', '-1'], 'scale web {"by":-1}'],
  [['drain', 'web/1'], 'drainSlot web/1'],
  [['drain', '0'], 'drainSlot web/0'],
  [['restart', 'web/1'], 'restartSlot web/1'],
  [['restart', '0'], 'restartSlot web/0'],
  [['upgrade'], 'upgrade'],
]
test('each operation is asked for, and its result told', async () => {
  const { folder, balancer, end } = await running()
  for (const [args, call] of operations) {
    const { code, out, err } = await command(folder, args)
    assert.equal([code, balancer.calls.at(-1), out, err], [0, call, `${call.split(' ', 1)} is done\n`, ''], args.join(' '))
  }
  const { out } = await command(folder, ['scale', '3', '--json'])
  assert.equal(jsonLines(out), [{ result: { message: 'scale is done' } }])
  await end()
})

const wrong: [args: string[], message: string][] = [
  [['scale'], 'error: expected a number of workers, such as 6, +2 or -1.'],
  [['scale', 'web'], "error: expected a number of workers, such as 6, +2 or -1, got 'web'."],
  [['scale', 'web', 'many'], "got 'many'."],
  [['scale', 'web', '0'], "got '0'."],
  [['drain'], "missing required argument 'worker'"],
  [['drain', 'web'], 'Expected a worker such as web/0.'],
  [['restart', 'web/x'], 'Expected a worker such as web/0.'],
  [['logs', 'web/0/1'], 'Expected a pool such as web, or a worker such as web/0.'],
  [['logs', '-n', 'all'], 'Expected an integer from 0.'],
  [['reload', 'web', 'heavy'], 'too many arguments'],
  [['stop', '--', 'now'], "'stop' runs no app"],
  [['relaod'], 'Did you mean reload?'],
]
for (const [args, message] of wrong) {
  test(`exit code 2: ${args.join(' ')}`, async () => {
    const { code, out, err } = await command(tmpdir(), args)
    assert.equal([code, out], [2, ''])
    assert.match(err, message)
  })
}

test('help of each command has examples', async () => {
  for (const name of ['status', 'reload', 'rollback', 'scale', 'drain', 'restart', 'stop', 'upgrade', 'logs']) {
    const { code, out } = await command(tmpdir(), [name, '--help'])
    assert.is(code, 0)
    assert.match(out, `Examples:\n  $ balancer ${name}`)
    for (const option of ['--json', '--config', '--control']) assert.match(out, option)
  }
})

const failures: [
  code: 'ERR_RELOAD_FAILED' | 'ERR_BUSY' | 'ERR_NOTHING_TO_ROLL_BACK' | 'ERR_UPGRADE_FAILED' | 'ERR_UNKNOWN_SEAT',
  exitCode: number,
][] = [
  ['ERR_RELOAD_FAILED', 6],
  ['ERR_BUSY', 7],
  ['ERR_NOTHING_TO_ROLL_BACK', 9],
  ['ERR_UPGRADE_FAILED', 10],
  ['ERR_UNKNOWN_SEAT', 2],
]
test('an operation that fails: its message, and the exit code of its error', async () => {
  const { folder, balancer, end } = await running()
  for (const [code, exitCode] of failures) {
    balancer.outcomes.rollback = () => Promise.reject(new BalancerError(code, 'because', { source: 'system' }))
    const answer = await command(folder, ['rollback'])
    assert.equal(answer, { code: exitCode, out: '', err: `balancer: because (${code})\n` })
    const json = await command(folder, ['rollback', '--json'])
    assert.is(json.code, exitCode)
    assert.equal(jsonLines(json.out), [{ error: { code, message: 'because', source: 'system', retryable: false } }])
  }
  balancer.outcomes.rollback = () => Promise.reject(new Error('a bug'))
  assert.equal(await command(folder, ['rollback']), { code: 1, out: '', err: 'balancer: a bug\n' })
  await end()
})

test('progress on stderr, and of a reload that fails what the new workers said', async () => {
  const { folder, balancer, end } = await running()
  const workerSlot = { pool: 'web', slot: 0, generation: 1, pid: 77 }
  balancer.outcomes.reload = async () => {
    balancer.events.emit('operationStarted', { name: 'reload', pool: 'web' })
    balancer.events.emit('workerOutput', { ...workerSlot, pid: 12, stream: 'stderr', line: 'an old one says something' })
    balancer.events.emit('workerStarted', workerSlot)
    balancer.events.emit('workerReady', { pool: 'heavy', slot: 0, generation: 1, pid: 78, startMs: 1 })
    balancer.events.emit('workerOutput', { ...workerSlot, stream: 'stdout', line: 'hello' })
    balancer.events.emit('workerExited', {
      ...workerSlot,
      code: 1,
      signal: null,
      expected: false,
      everReady: false,
      restartInMs: undefined,
    })
    setTimeout(() => balancer.events.emit('workerOutput', { ...workerSlot, stream: 'stderr', line: 'SyntaxError: Unexpected token' }), 20)
    throw new BalancerError('ERR_RELOAD_FAILED', 'web/0 exited with code 1', { source: 'app' })
  }
  const { code, out, err } = await command(folder, ['reload', 'web'])
  assert.equal([code, out], [6, ''])
  assert.equal(err.split('\n'), [
    'web/0 exited with code 1 before it was ready (pid 77)',
    'web/0 | SyntaxError: Unexpected token',
    'balancer: web/0 exited with code 1 (ERR_RELOAD_FAILED)',
    '',
  ])
  await end()
})

test('whoever waits longer than a second is told for what', async () => {
  const { folder, balancer, end } = await running()
  const done = deferred<{ message: string }>()
  balancer.outcomes.reload = () => done.promise
  balancer.changes = {
    pools: [
      {
        ...calmPool,
        name: 'web',
        ready: 2,
        desired: 2,
        boardFaults: 0,
        workers: [workerOf(0), workerOf(1), workerOf(0, { state: 'draining', ...{ drainLeftMs: 9_000 } })],
      },
    ],
  }
  const terminal = fakeIo(folder)
  terminal.stderr.isTTY = true
  const exit = main(['reload'], terminal)
  await until(() => terminal.stderr.text.includes('left to finish'))
  assert.is((await command(folder, ['reload'])).code, 7, 'one reload at a time')
  done.resolve({ message: 'all are new' })
  assert.is(await exit, 0)
  assert.match(terminal.stderr.text, '\r\x1b[Kweb: 2 of 2 ready, 1 draining (nothing left to finish)')
  assert.is(terminal.stdout.text, 'all are new\n')
  assert.ok(terminal.stderr.text.endsWith('\r\x1b[K'), 'what was waited for is wiped away')
  await end()
})

test('reload reads the config again, and the options of the command line stay above it', async () => {
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
  assert.equal(pools[0] && balancer.reloads[0]?.ticketKeys, balancer.settings.ticketKeys, 'tickets of before are read on')
  await end()
})

test('a config with faults is refused with all of them, and nothing changes', async () => {
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

test('what a reload can’t change is refused, with what can', async () => {
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

test('SIGHUP reloads; one that comes meanwhile is remembered, once', async () => {
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

test('SIGHUP while it starts is remembered too', async () => {
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

test('a terminal that goes away stops it', async () => {
  const { io, balancer, exit } = await running()
  io.hasLostTerminal = () => true
  io.signals.emit('SIGHUP', 'SIGHUP')
  balancer.stopped.resolve()
  assert.is(await exit, 0)
  assert.equal(balancer.calls, ['start', 'stop the terminal has gone'])
})

test('stop is as SIGTERM, and ends when the process is gone', async () => {
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

test('stop --now waits for nothing', async () => {
  const { folder, balancer, exit } = await running()
  const waiting = command(folder, ['stop'])
  await until(() => balancer.calls.includes("stop 'balancer stop'"))
  assert.is((await command(folder, ['stop', '--now'])).code, 0)
  assert.is((await waiting).code, 0)
  assert.is(await exit, 0)
  assert.equal(balancer.calls, ['start', "stop 'balancer stop'", 'stopNow'])
})

test('the log from outside: its last lines, and those of one worker', async () => {
  const { folder, balancer, end } = await running()
  const workerSlot = { pool: 'web', slot: 0, generation: 0, pid: 1 }
  balancer.events.emit('workerReady', { ...workerSlot, startMs: 5 })
  balancer.events.emit('workerOutput', { ...workerSlot, stream: 'stdout', line: 'hello' })
  balancer.events.emit('workerOutput', { ...workerSlot, slot: 1, stream: 'stderr', line: 'oh' })
  const { code, out } = await command(folder, ['logs'])
  assert.is(code, 0)
  assert.match(
    out,
    /^\[\d\d:\d\d:\d\d\] INFO: ready: .*\n\[\d\d:\d\d:\d\d\] INFO: web\/0 ready after 5 ms \(pid 1\)\nweb\/0 \| hello\nweb\/1 \| oh\n$/,
  )
  assert.is((await command(folder, ['logs', '-n', '1'])).out, 'web/1 | oh\n')
  const unknown = await command(folder, ['logs', 'web/9'])
  assert.equal(
    [unknown.code, unknown.err],
    [2, "balancer: there is no worker web/9; 'balancer status' lists the pools and workers (ERR_UNKNOWN_SEAT)\n"],
  )
  assert.is((await command(folder, ['logs', 'wob'])).code, 2)
  assert.is((await command(folder, ['logs', 'web/1'])).out, 'web/1 | oh\n')
  assert.equal((jsonLines((await command(folder, ['logs', '-n', '1', '--json', 'web/0'])).out) as { msg: string }[])[0]?.msg, 'hello')
  const io = fakeIo(folder)
  const followed = main(['logs', '-f', '-n', '0', 'web'], io)
  await until(() => {
    balancer.events.emit('workerOutput', { ...workerSlot, stream: 'stdout', line: 'and on' })
    return io.stdout.text.includes('web/0 | and on\n')
  })
  await end()
  assert.is(await followed, 0)
})

test('nobody answers: what to do', async () => {
  const folder = folderWith({ 'balancer.config.json': '{"app":1,"control":false}' })
  const bare = folderWith({})
  for (const name of ['status', 'reload', 'rollback', 'stop', 'upgrade', 'logs']) assert.is((await command(bare, [name])).code, 8)
  assert.match((await command(bare, ['status'])).err, `No balancer runs for ${bare}.\n  'balancer start' starts one.`)
  assert.match((await command(folder, ['status'])).err, 'its config has control: false')
  const { code, err } = await command(bare, ['status', '--control', 'x.sock'])
  assert.equal([code, err], [8, `balancer: No balancer answers on the control socket ${join(bare, 'x.sock')} (ERR_NOT_RUNNING)\n`])
})

test('a balancer is found by folder, by config, and by the path of its socket', async () => {
  const { folder, end } = await running({ 'server.js': '', 'other.json': '{"app":"server.js"}' }, ['--config', 'other.json'])
  assert.is((await command(folder, ['status'])).code, 8, 'another config is another balancer')
  assert.is((await command(folder, ['status', '-c', 'other.json'])).code, 0)
  writeFileSync(join(folder, 'other.json'), '{ faulty')
  assert.is((await command(folder, ['status', '-c', 'other.json'])).code, 0, 'whatever the config says by now')
  await end()
  const named = await running({ 'server.js': '', 'balancer.config.json': '{"app":"server.js","control":"own/a.sock"}' }, [])
  assert.ok(existsSync(join(named.folder, 'own/a.sock')))
  assert.is((await command(named.folder, ['status'])).code, 0)
  assert.is((await command(tmpdir(), ['status', '--control', join(named.folder, 'own/a.sock')])).code, 0)
  await named.end()
  assert.not.ok(existsSync(join(named.folder, 'own')))
})

test('--control off, and where it is when one is named', async () => {
  const off = await running(undefined, ['server.js', '--control', 'off'])
  assert.is((await command(off.folder, ['status'])).code, 8)
  await off.end()
  const named = await running(undefined, ['server.js', '--control', 'run/me.sock'])
  assert.is((await command(named.folder, ['status', '--control', 'run/me.sock'])).code, 0)
  await named.end()
})

test('a socket that was asked for and can’t be had is an error, the default one a warning', async () => {
  const folder = folderWith({ 'server.js': '' })
  const io = fakeIo(folder)
  mkdirSync(join(folder, 'open'), { mode: 0o755 })
  assert.is(await main(['start', '--admin', 'off', 'server.js', '--control', 'open/a.sock'], io), 11)
  assert.match(io.stderr.text, `Others may enter the folder of the control socket (its mode is 755, not 700): ${folder}/open (ERR_CONTROL)`)
  assert.equal((await io.balancer).calls, [])

  mkdirSync(join(folder, `switchyard-${process.getuid?.()}`), { mode: 0o755 })
  const warned = fakeIo(folder)
  const exit = main(['start', '--admin', 'off', '--pretty', 'server.js'], warned)
  const balancer = await warned.balancer
  balancer.started.resolve()
  await until(() => warned.stdout.text.includes('ready:'))
  assert.match(
    warned.stdout.text,
    "WARN: this balancer has no control socket, so 'balancer status' and 'balancer reload' do not reach it: Others may enter",
  )
  balancer.stopped.resolve()
  warned.signals.emit('SIGTERM', 'SIGTERM')
  assert.is(await exit, 0)
})

test('a start that fails since a balancer has the port: it is named, with what can be done with it', async () => {
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
    /is in use: stop it\n {2}balancer '.+' \(pid \d+\) runs already and has it\..*'balancer reload'.*'balancer stop'.*'balancer upgrade' \(ERR_ADDRESS_IN_USE\)\n$/
  assert.match(await fails(folder, [], inUse(3000)), here)
  const elsewhere = mkdtempSync(join(folder, 'elsewhere-'))
  writeFileSync(join(elsewhere, 'server.js'), '')
  assert.match(await fails(elsewhere, [], inUse(3000)), /'balancer reload --control \/.+\.sock'/)
  const crashed = new BalancerError('ERR_APP_FAILED', 'Error: listen EADDRINUSE: address already in use :::3000; exit code 1', {
    source: 'app',
  })
  assert.match(await fails(folder, [], crashed), /runs already and has it/)
  assert.not.match(await fails(folder, [], inUse(3001)), 'runs already')
  assert.not.match(
    await fails(folder, [], new BalancerError('ERR_LISTEN', 'cannot listen on 127.0.0.1:3000', { source: 'system' })),
    'runs already',
  )
  await end()
})

test('a second balancer in the same folder runs without a control socket, and leaves the first one’s alone', async () => {
  const { folder, end } = await running()
  const io = fakeIo(folder)
  const exit = main(['start', '--admin', 'off', '--pretty', 'server.js'], io)
  const second = await io.balancer
  second.started.resolve()
  await until(() => io.stdout.text.includes('ready:'))
  assert.match(
    io.stdout.text,
    /balancer '.+' \(pid \d+\) of the same folder runs already and has \/.+\.sock\. Give it one of its own with --control/,
  )
  second.stopped.resolve()
  io.signals.emit('SIGTERM', 'SIGTERM')
  assert.is(await exit, 0)
  assert.is((await command(folder, ['status'])).code, 0)
  await end()
})

test('a successor takes the socket over once it serves', async () => {
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

test('how seats and numbers of workers are written', () => {
  assert.equal(['web/0', '3', 'a-b_1/12', 'web', 'web/', '/0', '-1', 'web/-1', '1/1', ''].map(parseSlot), [
    { pool: 'web', slot: 0 },
    { pool: undefined, slot: 3 },
    { pool: 'a-b_1', slot: 12 },
    ...new Array(7).fill(undefined),
  ])
  assert.equal(['web', 'web/2', '2', 'web/x'].map(parsePoolOrSlot), [
    { pool: 'web', slot: undefined },
    { pool: 'web', slot: 2 },
    undefined,
    undefined,
  ])
  assert.equal(['6', '+2', '-1', '0', '+0', '', '1.5', '6x', '1e3'].map(parseScale), [
    { to: 6 },
    { by: 2 },
    { by: -1 },
    ...new Array(6).fill(undefined),
  ])
})

test.run()
