// Reads the stack of a process that hangs, over its inspector, and refuses inspectors that are not its own.

import { spawn } from 'node:child_process'
import { type AddressInfo, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { WebSocketServer } from 'ws'
import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { HangStackReader } from '../../src/supervisor/workers/hang-stack.ts'
import { inspectorArguments, isInspected } from '../../src/supervisor/workers/inspector-arguments.ts'
import { listensOn } from '../../src/system/listens-on.ts'

const test = suite('hang stack', { timeoutMs: 20_000 })
const fixture = fileURLToPath(new URL('../fixtures/hang.mjs', import.meta.url))

/** Runs a process that hangs. `appLines`: the lines on stderr that the reader takes for output of the app; `allLines`: all of them. */
async function withHanging(
  way: string,
  body: (reader: HangStackReader, appLines: string[], allLines: string[]) => Promise<void>,
  execArgv: string[] = [],
): Promise<void> {
  const child = spawn(process.execPath, [...execArgv, fixture, way], { stdio: ['ignore', 'pipe', 'pipe'] })
  const reader = new HangStackReader(child.pid as number)
  const appLines: string[] = []
  const allLines: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    allLines.push(line)
    if (!reader.onLine(line)) appLines.push(line)
  })
  try {
    await untilEvent(child.stdout, 'data')
    // The process prints first and hangs a moment later.
    await new Promise((resolve) => setTimeout(resolve, 200))
    await body(reader, appLines, allLines)
  } finally {
    child.kill('SIGKILL')
    await untilEvent(child, 'close')
  }
}

for (const [way, line] of [
  ['loop', `at loop (${fixture}:6:`],
  ['expression', `at expression (${fixture}:8:`],
  ['wait', `at wait (${fixture}:9:`],
] as const) {
  test(`in a ${way}: the line of code comes first, then its callers`, () =>
    withHanging(way, async (reader, appLines) => {
      const lines = ((await reader.read(patience(2000))) ?? '').split('\n')
      assert.ok(lines[0]?.startsWith(line), lines.join('\n'))
      assert.match(lines[0] as string, /:\d+\)$/)
      assert.match(lines[1] as string, `at hang (${fixture}:21:`)
      assert.equal(appLines, [], 'messages of the inspector are not for the log')
    }))
}

// Whether the pause falls into that event is chance, so a fake inspector reports it.
test('the event that Node emits when its inspector opens is left out of the stack', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket) => {
    const send = (method: string, params: object) => socket.send(JSON.stringify({ method, params }))
    const frame = (functionName: string, scriptId: string) => ({ functionName, location: { scriptId, lineNumber: 0, columnNumber: 0 } })
    send('Debugger.scriptParsed', { scriptId: '1', url: 'node:events' })
    send('Debugger.scriptParsed', { scriptId: '2', url: 'file:///app.js' })
    send('Debugger.paused', { callFrames: [frame('emit', '1'), frame('code', '2'), frame('emit', '1')] })
  })
  try {
    await untilEvent(server, 'listening')
    const reader = new HangStackReader(process.pid)
    reader.onLine(`Debugger listening on ws://127.0.0.1:${(server.address() as AddressInfo).port}/00000000-0000-4000-8000-000000000000`)
    assert.is(await reader.read(patience(2000)), 'at code (/app.js:1:1)\nat emit (node:events:1:1)')
  } finally {
    for (const client of server.clients) client.terminate()
    server.close()
  }
})

test('the secret part of the inspector’s URL is printed on stderr, and published nowhere else', () =>
  withHanging(
    'loop',
    async (reader, appLines, allLines) => {
      assert.match((await reader.read(patience(2000))) ?? '', `at loop (${fixture}:6:`)
      const { port } = new URL(/ws:\S+/.exec(allLines.join('\n'))?.[0] as string)
      assert.equal(appLines, [])
      for (const path of ['/json/list', '/json']) {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined)
        assert.not.match((await answer?.text()) ?? '', /webSocketDebuggerUrl|[\da-f]{8}-[\da-f]{4}/)
      }
    },
    inspectorArguments({ execArgv: [], env: {} }),
  ))

test('an address that an app prints from text of a client is never connected to', async () => {
  const server = createServer(() => assert.unreachable('the primary has connected')).listen(0, '127.0.0.1')
  await untilEvent(server, 'listening')
  const { port } = server.address() as AddressInfo
  const lines = [
    `Debugger listening on ws://127.0.0.1:${port}/00000000-0000-4000-8000-000000000000`,
    `Debugger listening on ws://127.0.0.1:${port}/internal?cmd=1`,
    `Debugger listening on ws://localhost:${port}/00000000-0000-4000-8000-000000000000`,
  ]
  await withHanging('loop', async (reader) => {
    for (const line of lines) reader.onLine(line)
    const reading = reader.read(patience(2000))
    for (const line of lines) reader.onLine(line)
    assert.match((await reading) ?? '', `at loop (${fixture}:6:`, 'the stack is still read from the real inspector')
  })
  server.close()
})

test('a deep stack is cut', () =>
  withHanging('deep', async (reader) => {
    const lines = ((await reader.read(patience(2000))) ?? '').split('\n')
    assert.is(lines.length, 21)
    assert.match(lines[20] as string, /^and \d+ more$/)
  }))

for (const [way, why] of [
  ['native', 'a native call'],
  ['listener', 'a listener of its own for the signal'],
] as const) {
  test(`no stack within the timeout from a process with ${why}`, () =>
    withHanging(way, async (reader) => {
      assert.is(await reader.read(300), undefined)
    }))
}

test('no stack from a process that is gone', async () => {
  const child = spawn(process.execPath, ['-e', '0'])
  await untilEvent(child, 'close')
  assert.is(await new HangStackReader(child.pid as number).read(300), undefined)
})

test('no stack from a process that never started', async () => assert.is(await new HangStackReader(0).read(300), undefined))

test('the stack of a process whose inspector was open before is read too, and its earlier lines count as output', () =>
  withHanging(
    'loop',
    async (reader, appLines) => {
      assert.match(appLines.join('\n'), 'Debugger listening on ws://127.0.0.1:')
      assert.match((await reader.read(patience(2000))) ?? '', `at loop (${fixture}:6:`)
    },
    ['--inspect=127.0.0.1:0'],
  ))

async function listening(host: string): Promise<{ port: number; close: () => Promise<unknown> }> {
  const server = createServer().listen(0, host)
  await untilEvent(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => new Promise((resolve) => server.close(resolve)) }
}

test('listensOn finds a server of the process, until it is closed', async () => {
  const { port, close } = await listening('127.0.0.1')
  assert.ok(await listensOn(process.pid, port))
  await close()
  assert.not(await listensOn(process.pid, port))
})

test('listensOn ignores servers of other processes and on other addresses', async () => {
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

test('a worker with inspector options of its own gets no others', () => {
  const argumentsOf = (execArgv: string[], options?: string) => ({ execArgv, env: options === undefined ? {} : { NODE_OPTIONS: options } })
  for (const started of [
    argumentsOf(['--inspect']),
    argumentsOf(['--inspect-brk=0']),
    argumentsOf(['--inspect-wait']),
    argumentsOf([], '--trace-gc --inspect=9230'),
  ]) {
    assert.ok(isInspected(started))
    assert.equal(inspectorArguments(started), [])
  }
  for (const started of [argumentsOf([]), argumentsOf(['--inspect-port=9230'], '--max-old-space-size=100')]) {
    assert.not(isInspected(started))
    assert.equal(inspectorArguments(started), ['--inspect-publish-uid=stderr'])
  }
})

test.run()
