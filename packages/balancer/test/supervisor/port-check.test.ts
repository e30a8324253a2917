// Whether a process itself listens on a port of loopback, as the kernel says.

import { spawn } from 'node:child_process'
import { type AddressInfo, createServer } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { inspectorArguments, isInspected } from '../../src/supervisor/workers/inspector-arguments.ts'
import { listensOn } from '../../src/supervisor/workers/port-check.ts'

const test = suite('own port')

async function listening(host: string): Promise<{ port: number; close: () => Promise<unknown> }> {
  const server = createServer().listen(0, host)
  await untilEvent(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => new Promise((resolve) => server.close(resolve)) }
}

test('a server of the process: yes, until it is closed', async () => {
  const { port, close } = await listening('127.0.0.1')
  assert.ok(await listensOn(process.pid, port))
  await close()
  assert.not(await listensOn(process.pid, port))
})

test('a server of another process, or on other addresses: no', async () => {
  const own = await listening('127.0.0.1')
  const elsewhere = await listening('0.0.0.0')
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  await untilEvent(child, 'spawn')
  assert.not(await listensOn(child.pid as number, own.port))
  assert.not(await listensOn(process.pid, elsewhere.port))
  child.kill('SIGKILL')
  await untilEvent(child, 'close')
  assert.not(await listensOn(child.pid as number, own.port))
  await Promise.all([own.close(), elsewhere.close()])
})

test('a worker that is debugged has its options as they are', () => {
  const asked = (execArgv: string[], options?: string) => ({ execArgv, env: options === undefined ? {} : { NODE_OPTIONS: options } })
  for (const started of [
    asked(['--inspect']),
    asked(['--inspect-brk=0']),
    asked(['--inspect-wait']),
    asked([], '--trace-gc --inspect=9230'),
  ]) {
    assert.ok(isInspected(started))
    assert.equal(inspectorArguments(started), [])
  }
  for (const started of [asked([]), asked(['--inspect-port=9230'], '--max-old-space-size=100')]) {
    assert.not(isInspected(started))
    assert.equal(inspectorArguments(started), ['--inspect-publish-uid=stderr'])
  }
})

test.run()
