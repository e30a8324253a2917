// Signals of the kernel do nothing to a worker and its app; the app hears one when the worker is told to end, or when the app sends it to itself.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { untilEvent } from '../../../../test/support/until.ts'

const test = suite('signals')
const FIXTURE = fileURLToPath(new URL('../fixtures/signals.fixture.ts', import.meta.url))

class Holder {
  readonly process: ChildProcess = spawn(process.execPath, ['--import', 'tsx', FIXTURE], { stdio: ['pipe', 'pipe', 'inherit'] })
  private readonly answers = createInterface(this.process.stdout as NodeJS.ReadableStream)

  constructor() {
    atSuiteEnd(() => this.process.kill('SIGKILL'))
  }

  async run(code: string): Promise<unknown> {
    const answer = untilEvent(this.answers, 'line')
    this.process.stdin?.write(`${code}\n`)
    return JSON.parse(String((await answer)[0]))
  }

  /** What its listeners have heard, when what was sent to it before has come. */
  async heard(): Promise<unknown> {
    // A signal is delivered before a later one that the process waits for.
    return this.run(
      "return new Promise((resolve) => { process.once('SIGWINCH', () => setImmediate(resolve, heard)); process.kill(process.pid, 'SIGWINCH') })",
    )
  }

  async end(code: string): Promise<unknown[]> {
    const end = untilEvent(this.process, 'exit')
    this.process.stdin?.write(`${code}\n`)
    return end
  }
}

test('a signal from elsewhere is heard by no listener, and ends no process', async () => {
  const holder = new Holder()
  assert.equal(
    await holder.run("return ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'].map((name) => process.listenerCount(name))"),
    [0, 0, 1, 0],
  )
  await holder.run("process.on('SIGINT', listen('SIGINT'))")
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) holder.process.kill(signal)
  assert.equal(await holder.heard(), [])
})

test('also when the app has taken its last listener away', async () => {
  const holder = new Holder()
  await holder.run(
    "process.once('SIGTERM', listen('SIGTERM')).removeAllListeners('SIGTERM'); process.on('SIGINT', listen).off('SIGINT', listen)",
  )
  for (const signal of ['SIGTERM', 'SIGINT'] as const) holder.process.kill(signal)
  assert.equal(await holder.heard(), [])
})

test('what the worker is told is heard once, with the name and the number of the signal', async () => {
  const holder = new Holder()
  await holder.run("process.once('SIGTERM', (...values) => heard.push(...values))")
  holder.process.kill('SIGTERM')
  await holder.run("signals.send('SIGTERM')")
  holder.process.kill('SIGTERM')
  assert.equal(await holder.heard(), ['SIGTERM', 15])
})

test('an app without a listener for it ends by the signal', async () => {
  assert.equal(await new Holder().end("signals.send('SIGTERM')"), [null, 'SIGTERM'])
})

test('what the app sends to itself it hears, and without a listener it ends by that', async () => {
  const holder = new Holder()
  await holder.run("process.once('SIGTERM', listen('SIGTERM')); process.kill(process.pid, 15); process.kill(process.pid, 'SIGHUP')")
  assert.equal(await holder.heard(), ['SIGTERM', 'SIGHUP'])
  assert.equal(await holder.run('return process.kill(process.pid, 0)'), true)
  assert.equal(await holder.end('process.kill(process.pid)'), [null, 'SIGTERM'])
})

test('a listener that sends the signal once more to end the process does so', async () => {
  const holder = new Holder()
  await holder.run("process.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))")
  assert.equal(await holder.end("signals.send('SIGINT')"), [null, 'SIGINT'])
})

test('an app that listens for SIGINT alone is told to end by that', async () => {
  const holder = new Holder()
  const usual = 'return usualStopSignal()'
  assert.is(await holder.run(usual), 'SIGTERM')
  assert.is(await holder.run(`process.on('SIGINT', () => {}); ${usual}`), 'SIGINT')
  assert.is(await holder.run(`process.on('SIGTERM', () => {}); ${usual}`), 'SIGTERM')
})

test.run()
