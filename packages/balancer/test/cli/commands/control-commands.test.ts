// The commands for a running balancer, from their arguments to their output and exit code.

import { existsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { parseScale } from '../../../src/cli/commands/control-commands.ts'
import { main } from '../../../src/cli/main.ts'
import { BalancerError } from '../../../src/errors.ts'
import { parsePoolOrSlot, parseSlotName } from '../../../src/worker-name.ts'
import { calmPool, deferred, fakeIo, statusOf, workerOf } from '../../support/fake-balancer.ts'
import { command, folderWith, jsonLines, running } from '../started-command.ts'

const test = suite('control commands', { timeoutMs: 15_000 })

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
    "web/3 has failed too often and is not started again: 'balancer logs web/3' shows why, 'balancer restart web/3' starts it.",
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
test('each operation runs, and its result is printed', async () => {
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

test('the help of each command has examples and common options', async () => {
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
test('a failed operation prints its message and exits with the code of its error', async () => {
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

test('progress goes to stderr, and after a failed reload what the new workers printed', async () => {
  const { folder, balancer, end } = await running()
  const workerSlot = { pool: 'web', slot: 0, generation: 1, pid: 77 }
  balancer.outcomes.reload = async () => {
    balancer.events.emit('operationStarted', { name: 'reload', pool: 'web' })
    balancer.events.emit('workerOutput', { ...workerSlot, pid: 12, stream: 'stderr', line: 'output of an old worker' })
    balancer.events.emit('workerStarted', workerSlot)
    balancer.events.emit('workerReady', { pool: 'heavy', slot: 0, generation: 1, pid: 78, startMs: 1 })
    balancer.events.emit('workerOutput', { ...workerSlot, stream: 'stdout', line: 'hello' })
    balancer.events.emit('workerExited', {
      ...workerSlot,
      code: 1,
      signal: null,
      expected: false,
      everReady: false,
      isFinal: false,
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

test('an operation of more than a second shows what it waits for', async () => {
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
  assert.ok(terminal.stderr.text.endsWith('\r\x1b[K'), 'the waiting line is erased')
  await end()
})

test('logs: the last lines of the log, of a pool and of a worker', async () => {
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

test('without a running balancer the error says what to do', async () => {
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
  assert.is((await command(folder, ['status', '-c', 'other.json'])).code, 0, 'a faulty config does not matter')
  await end()
  const named = await running({ 'server.js': '', 'balancer.config.json': '{"app":"server.js","control":"own/a.sock"}' }, [])
  assert.ok(existsSync(join(named.folder, 'own/a.sock')))
  assert.is((await command(named.folder, ['status'])).code, 0)
  assert.is((await command(tmpdir(), ['status', '--control', join(named.folder, 'own/a.sock')])).code, 0)
  await named.end()
  assert.not.ok(existsSync(join(named.folder, 'own')))
})

test('arguments for slots and numbers of workers', () => {
  assert.equal(
    ['web/0', '3', 'a-b_1/12', 'a/proxy/1', 'web', 'web/', '/0', '-1', 'web/-1', '1/1', '', 'proxy/', 'a/proxy'].map(parseSlotName),
    [
      { pool: 'web', slot: 0 },
      { pool: undefined, slot: 3 },
      { pool: 'a-b_1', slot: 12 },
      { pool: 'a', slot: 1, proxy: true },
      ...new Array(9).fill(undefined),
    ],
  )
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
