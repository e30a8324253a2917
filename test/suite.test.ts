// Proves that the harness fails where a test would otherwise pass silently: each fixture is a test file with one fault.

import { createServer } from 'node:http'
import { faultOf } from '../scripts/test-files.mjs'
import { runTestFile } from '../scripts/test-process.mjs'
import { assert, suite } from './suite.ts'
import { openDescriptors } from './support/descriptors.ts'
import { patience } from './support/patience.ts'
import { freePort } from './support/ports.ts'
import { seededRandom } from './support/random.ts'
import { spawnLogged } from './support/spawn.ts'
import { until, untilEvent } from './support/until.ts'

const test = suite('suite', { timeoutMs: 20_000 })
const AT_ONCE = 4

type Ended = Awaited<ReturnType<typeof runTestFile>>
const waiting: (() => Promise<void>)[] = []

/** Resolves with the result of a fixture, which runs when it is its turn. */
function runFixture(name: string, env: Record<string, string> = {}, timeoutMs = patience(15_000)): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const run = () =>
      runTestFile(`test/fixtures/${name}.fixture.ts`, { timeoutMs, env: { EXIT_GRACE_MS: '1000', ...env }, leftGraceMs: 500 })
    waiting.push(() => run().then(resolve, reject))
  })
}

const HOOKS = ['before', 'before each', 'after each', 'after'] as const
const GROUPS = process.platform === 'linux' ? ['0', '1'] : ['0']
/** They run beside one another, in this order. Each test awaits its own. */
const runs = {
  passes: runFixture('passes'),
  noRun: runFixture('no-run'),
  overBound: runFixture('over-bound'),
  serverLeft: runFixture('server-left'),
  childHeld: runFixture('child-held'),
  childLeft: GROUPS.map((detached) => runFixture('child-left', { DETACHED: detached })),
  tooLong: runFixture('child-held', { EXIT_GRACE_MS: '60000' }, 1_000),
  strayRejection: runFixture('stray-rejection'),
  failingHooks: HOOKS.map((hook) => runFixture('failing-hooks', { FAILING_HOOK: hook })),
  noTests: runFixture('no-tests'),
}
const allRuns = Promise.all(Array.from({ length: AT_ONCE }, inTurn))

async function inTurn(): Promise<void> {
  for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) await run()
}

test('a file as it should be passes', async () => {
  const { passed, failed, faults, output } = await runs.passes
  assert.equal({ passed, failed, faults }, { passed: 1, failed: 0, faults: [] }, output)
})

test('a file without .run() fails, and is found without running it', async () => {
  const { failed, output } = await runs.noRun
  assert.is(failed, 1)
  assert.match(output, 'forgotten: .run() was never called')
  assert.match(faultOf('test/fixtures/no-run.fixture.ts') ?? '', 'never calls test.run()')
  assert.is(faultOf('test/fixtures/passes.fixture.ts'), undefined)
})

test('a test over its bound fails by name, and the next one runs', async () => {
  const { passed, failed, output } = await runs.overBound
  assert.equal({ passed, failed }, { passed: 1, failed: 1 })
  assert.match(output, `"waits for ever" took longer than its bound of ${patience(50)} ms`)
})

test('a server left open fails the file and is named', async () => {
  const { failed, output } = await runs.serverLeft
  assert.is(failed, 1)
  assert.match(output, /left behind: TCPServerWrap ×1/)
})

test('a child that holds the file open is named', async () => {
  const { failed, output } = await runs.childHeld
  assert.is(failed, 1)
  assert.match(output, /left behind: ProcessWrap ×1/)
})

test('a child left behind after the exit fails the file, in its process group or out of it', async () => {
  for (const { failed, faults } of await Promise.all(runs.childLeft)) {
    assert.is(failed, 1)
    assert.match(faults.join(), /left running: .*setTimeout/)
  }
})

test('a file over its bound is ended and fails', async () => {
  const { failed, faults } = await runs.tooLong
  assert.is(failed, 1)
  assert.match(faults.join(), 'took longer than its bound of 1 s')
})

test('a stray rejection fails the test that runs', async () => {
  const { passed, failed, output } = await runs.strayRejection
  assert.equal({ passed, failed }, { passed: 0, failed: 1 })
  assert.match(output, 'unhandled rejection in "looks away": Error: no handler')
})

test('a failing hook fails the file', async () => {
  for (const [index, hook] of HOOKS.entries()) {
    const { failed, output } = (await runs.failingHooks[index]) as Ended
    assert.is(failed, 1, hook)
    assert.match(output, `thrown in ${hook}`)
  }
})

test('a file without tests fails', async () => {
  const { failed, faults } = await runs.noTests
  assert.is(failed, 1)
  assert.equal(faults, ['has no tests'])
})

test('waits are bounded and say what for', async () => {
  // They open and close descriptors.
  await allRuns
  const server = createServer()
  await server.listen(await freePort(), '127.0.0.1')
  await untilEvent(server, 'listening')
  await rejects(untilEvent(server, 'connection', 30), `no 'connection' within ${patience(30)} ms`)
  await rejects(
    until(() => false, 30, 'the moon'),
    `the moon: not so within ${patience(30)} ms`,
  )
  assert.is(await until(() => 7), 7)
  const before = openDescriptors()
  server.close()
  await untilEvent(server, 'close')
  assert.is(openDescriptors(), before - 1)
})

test('a logged child is heard, and stopped even if it will not', async () => {
  const child = spawnLogged(process.execPath, ['-e', "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)"])
  await child.untilOutput(/up/)
  await child.stop(100)
  assert.is((await child.ended).signal, 'SIGKILL')
  const short = spawnLogged(process.execPath, ['-e', "console.error('bye'); process.exit(3)"])
  await rejects(short.untilOutput(/never/), 'the process ended')
  assert.equal(await short.ended, { code: 3, signal: null })
  assert.is(short.output(), 'bye\n')
})

test('a seed repeats its numbers', () => {
  const [one, same, other] = [seededRandom(7), seededRandom(7), seededRandom(8)]
  const numbers = Array.from({ length: 1_000 }, one)
  assert.equal(numbers, Array.from({ length: 1_000 }, same))
  assert.not.equal(numbers, Array.from({ length: 1_000 }, other))
  assert.ok(numbers.every((number) => number >= 0 && number < 1))
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length
  assert.ok(Math.abs(mean - 0.5) < 0.05, `mean ${mean}`)
})

async function rejects(promise: Promise<unknown>, message: string): Promise<void> {
  const error = await promise.then(
    () => new Error('did not reject'),
    (reason: Error) => reason,
  )
  assert.match(error.message, message)
}

test.run()
