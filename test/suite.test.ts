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

function runFixture(name: string, env: Record<string, string> = {}, timeoutMs = patience(15_000)) {
  return runTestFile(`test/fixtures/${name}.fixture.ts`, { timeoutMs, env: { EXIT_GRACE_MS: '1000', ...env }, leftGraceMs: 500 })
}

test('a file as it should be passes', async () => {
  const { passed, failed, faults, output } = await runFixture('passes')
  assert.equal({ passed, failed, faults }, { passed: 1, failed: 0, faults: [] }, output)
})

test('a file without .run() fails, and is found without running it', async () => {
  const { failed, output } = await runFixture('no-run')
  assert.is(failed, 1)
  assert.match(output, 'forgotten: .run() was never called')
  assert.match(faultOf('test/fixtures/no-run.fixture.ts') ?? '', 'never calls test.run()')
  assert.is(faultOf('test/fixtures/passes.fixture.ts'), undefined)
})

test('a test over its bound fails by name, and the next one runs', async () => {
  const { passed, failed, output } = await runFixture('over-bound')
  assert.equal({ passed, failed }, { passed: 1, failed: 1 })
  assert.match(output, `"waits for ever" took longer than its bound of ${patience(50)} ms`)
})

test('a server left open fails the file and is named', async () => {
  const { failed, output } = await runFixture('server-left')
  assert.is(failed, 1)
  assert.match(output, /left behind: TCPServerWrap ×1/)
})

test('a child that holds the file open is named', async () => {
  const { failed, output } = await runFixture('child-held')
  assert.is(failed, 1)
  assert.match(output, /left behind: ProcessWrap ×1/)
})

test('a child left behind after the exit fails the file, in its process group or out of it', async () => {
  for (const detached of process.platform === 'linux' ? ['0', '1'] : ['0']) {
    const { failed, faults } = await runFixture('child-left', { DETACHED: detached })
    assert.is(failed, 1)
    assert.match(faults.join(), /left running: .*setTimeout/)
  }
})

test('a file over its bound is ended and fails', async () => {
  const { failed, faults } = await runFixture('child-held', { EXIT_GRACE_MS: '60000' }, 1_000)
  assert.is(failed, 1)
  assert.match(faults.join(), 'took longer than its bound of 1 s')
})

test('a stray rejection fails the test that runs', async () => {
  const { passed, failed, output } = await runFixture('stray-rejection')
  assert.equal({ passed, failed }, { passed: 0, failed: 1 })
  assert.match(output, 'unhandled rejection in "looks away": Error: no handler')
})

test('a failing hook fails the file', async () => {
  for (const hook of ['before', 'before each', 'after each', 'after']) {
    const { failed, output } = await runFixture('failing-hooks', { FAILING_HOOK: hook })
    assert.is(failed, 1, hook)
    assert.match(output, `thrown in ${hook}`)
  }
})

test('a file without tests fails', async () => {
  const { failed, faults } = await runFixture('no-tests')
  assert.is(failed, 1)
  assert.equal(faults, ['has no tests'])
})

test('waits are bounded and say what for', async () => {
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
