// Signals from the kernel have no effect on a worker. The app gets a signal when the worker is told to exit, or when the app sends it to itself.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { compiledFixture } from '../../../../test/support/compiled-fixture.ts'
import { untilEvent } from '../../../../test/support/until.ts'

const test = suite('signals')
const FIXTURE = new URL('../fixtures/signals.fixture.ts', import.meta.url)

class Holder {
  readonly process: ChildProcess = spawn(process.execPath, [compiledFixture(FIXTURE)], { stdio: ['pipe', 'pipe', 'inherit'] })
  private readonly answers = createInterface(this.process.stdout as NodeJS.ReadableStream)

  constructor() {
    atSuiteEnd(() => this.process.kill('SIGKILL'))
  }

  async run(code: string): Promise<unknown> {
    const answer = untilEvent(this.answers, 'line')
    this.process.stdin?.write(`${code}\n`)
    return JSON.parse(String((await answer)[0]))
  }

  /** The signals that its listeners got, after all signals sent before have arrived. */
  async heard(): Promise<unknown> {
    // The kernel delivers it before the later signal that the process waits for.
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

test('a signal from outside calls no listener, and ends no process', async () => {
  const holder = new Holder()
  assert.equal(
    await holder.run("return ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'].map((name) => process.listenerCount(name))"),
    [0, 0, 1, 0],
  )
  await holder.run("process.on('SIGINT', listen('SIGINT'))")
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) holder.process.kill(signal)
  assert.equal(await holder.heard(), [])
})

test('the same after the app has removed its last listener', async () => {
  const holder = new Holder()
  await holder.run(
    "process.once('SIGTERM', listen('SIGTERM')).removeAllListeners('SIGTERM'); process.on('SIGINT', listen).off('SIGINT', listen)",
  )
  for (const signal of ['SIGTERM', 'SIGINT'] as const) holder.process.kill(signal)
  assert.equal(await holder.heard(), [])
})

test('a signal that the worker delivers calls the listeners once, with its name and number', async () => {
  const holder = new Holder()
  await holder.run("process.once('SIGTERM', (...values) => heard.push(...values))")
  holder.process.kill('SIGTERM')
  await holder.run("signals.send('SIGTERM')")
  holder.process.kill('SIGTERM')
  assert.equal(await holder.heard(), ['SIGTERM', 15])
})

test('an app without a listener is ended by the signal', async () => {
  assert.equal(await new Holder().end("signals.send('SIGTERM')"), [null, 'SIGTERM'])
})

test('a signal that the app sends to itself calls its listeners, and ends an app without any', async () => {
  const holder = new Holder()
  await holder.run("process.once('SIGTERM', listen('SIGTERM')); process.kill(process.pid, 15); process.kill(process.pid, 'SIGHUP')")
  assert.equal(await holder.heard(), ['SIGTERM', 'SIGHUP'])
  assert.equal(await holder.run('return process.kill(process.pid, 0)'), true)
  assert.equal(await holder.end('process.kill(process.pid)'), [null, 'SIGTERM'])
})

test('a listener can end the process by sending the signal again', async () => {
  const holder = new Holder()
  await holder.run("process.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))")
  assert.equal(await holder.end("signals.send('SIGINT')"), [null, 'SIGINT'])
})

test('an app that listens for SIGINT alone is stopped by SIGINT', async () => {
  const holder = new Holder()
  const usual = 'return usualStopSignal()'
  assert.is(await holder.run(usual), 'SIGTERM')
  assert.is(await holder.run(`process.on('SIGINT', () => {}); ${usual}`), 'SIGINT')
  assert.is(await holder.run(`process.on('SIGTERM', () => {}); ${usual}`), 'SIGTERM')
})

test.run()
