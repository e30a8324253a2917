// Where a process hangs, told by itself.

import { spawn } from 'node:child_process'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { WebSocketServer } from 'ws'
import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { HangStackReader } from '../../src/supervisor/workers/hang-stack.ts'
import { inspectorArguments } from '../../src/supervisor/workers/inspector-arguments.ts'
import { readLines } from '../../src/supervisor/workers/output-lines.ts'

const test = suite('stack', { timeoutMs: 20_000 })
const fixture = fileURLToPath(new URL('../fixtures/hang.mjs', import.meta.url))

/** A process that hangs, and what it says on stderr. */
async function withHanging(
  way: string,
  body: (reader: HangStackReader, said: string[], all: string[]) => Promise<void>,
  execArgv: string[] = [],
): Promise<void> {
  const child = spawn(process.execPath, [...execArgv, fixture, way], { stdio: ['ignore', 'pipe', 'pipe'] })
  const reader = new HangStackReader(child.pid as number)
  const said: string[] = []
  const all: string[] = []
  readLines(child.stderr, (line) => {
    all.push(line)
    if (!reader.hear(line)) said.push(line)
  })
  try {
    await untilEvent(child.stdout, 'data')
    // It hangs a moment after it has said so.
    await new Promise((resolve) => setTimeout(resolve, 200))
    await body(reader, said, all)
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
  test(`in a ${way}: the line of code comes first, then who has called it`, () =>
    withHanging(way, async (reader, said) => {
      const lines = ((await reader.read(patience(2000))) ?? '').split('\n')
      assert.ok(lines[0]?.startsWith(line), lines.join('\n'))
      assert.match(lines[0] as string, /:\d+\)$/)
      assert.match(lines[1] as string, `at hang (${fixture}:21:`)
      assert.equal(said, [], 'what the inspector says is not for the log')
    }))
}

// Whether a process is paused there is up to its machine, so an inspector of our own says it.
test('the event by which Node says that its inspector is open is not what the code was at', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket) => {
    const tell = (method: string, params: object) => socket.send(JSON.stringify({ method, params }))
    const frame = (functionName: string, scriptId: string) => ({ functionName, location: { scriptId, lineNumber: 0, columnNumber: 0 } })
    tell('Debugger.scriptParsed', { scriptId: '1', url: 'node:events' })
    tell('Debugger.scriptParsed', { scriptId: '2', url: 'file:///app.js' })
    tell('Debugger.paused', { callFrames: [frame('emit', '1'), frame('code', '2'), frame('emit', '1')] })
  })
  try {
    await untilEvent(server, 'listening')
    const reader = new HangStackReader(process.pid)
    reader.hear(`Debugger listening on ws://127.0.0.1:${(server.address() as AddressInfo).port}/00000000-0000-4000-8000-000000000000`)
    assert.is(await reader.read(patience(2000)), 'at code (/app.js:1:1)\nat emit (node:events:1:1)')
  } finally {
    for (const client of server.clients) client.terminate()
    server.close()
  }
})

test('the name by which others could reach it stands on stderr, and nowhere else', () =>
  withHanging(
    'loop',
    async (reader, said, all) => {
      assert.match((await reader.read(patience(2000))) ?? '', `at loop (${fixture}:6:`)
      const { port } = new URL(/ws:\S+/.exec(all.join('\n'))?.[0] as string)
      assert.equal(said, [])
      for (const path of ['/json/list', '/json']) {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined)
        assert.not.match((await answer?.text()) ?? '', /webSocketDebuggerUrl|[\da-f]{8}-[\da-f]{4}/)
      }
    },
    inspectorArguments({ execArgv: [], env: {} }),
  ))

test('what an app prints of a client’s words is connected to nowhere', async () => {
  const server = createServer(() => assert.unreachable('it was connected to')).listen(0, '127.0.0.1')
  await untilEvent(server, 'listening')
  const { port } = server.address() as AddressInfo
  const words = [
    `Debugger listening on ws://127.0.0.1:${port}/00000000-0000-4000-8000-000000000000`,
    `Debugger listening on ws://127.0.0.1:${port}/internal?cmd=1`,
    `Debugger listening on ws://localhost:${port}/00000000-0000-4000-8000-000000000000`,
  ]
  await withHanging('loop', async (reader) => {
    for (const line of words) reader.hear(line)
    const reading = reader.read(patience(2000))
    for (const line of words) reader.hear(line)
    assert.match((await reading) ?? '', `at loop (${fixture}:6:`, 'and it is asked all the same')
  })
  server.close()
})

test('a deep stack is cut short', () =>
  withHanging('deep', async (reader) => {
    const lines = ((await reader.read(patience(2000))) ?? '').split('\n')
    assert.is(lines.length, 21)
    assert.match(lines[20] as string, /^and \d+ more$/)
  }))

for (const [way, why] of [
  ['native', 'a native call'],
  ['listener', 'a listener of its own for the signal'],
] as const) {
  test(`nothing is told of ${why}, after a while`, () =>
    withHanging(way, async (reader) => {
      assert.is(await reader.read(300), undefined)
    }))
}

test('nor of one that is gone', async () => {
  const child = spawn(process.execPath, ['-e', '0'])
  await untilEvent(child, 'close')
  assert.is(await new HangStackReader(child.pid as number).read(300), undefined)
})

test('nor of one that never came to be', async () => assert.is(await new HangStackReader(0).read(300), undefined))

test('of a process whose inspector somebody else has opened the stack is told too, and its lines pass', () =>
  withHanging(
    'loop',
    async (reader, said) => {
      assert.match(said.join('\n'), 'Debugger listening on ws://127.0.0.1:')
      assert.match((await reader.read(patience(2000))) ?? '', `at loop (${fixture}:6:`)
    },
    ['--inspect=127.0.0.1:0'],
  ))

test.run()
