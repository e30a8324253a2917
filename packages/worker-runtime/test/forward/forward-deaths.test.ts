// Forwarded requests whose target is missing, dies before it begins, dies in the middle, or does not speak HTTP.

import { closeSync, openSync, writeFileSync } from 'node:fs'
import type { Agent, IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createNetServer, type Socket } from 'node:net'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { compiledFixture } from '../../../../test/support/compiled-fixture.ts'
import { exhaustDescriptors } from '../../../../test/support/descriptors.ts'
import { type LoggedChild, spawnLogged } from '../../../../test/support/spawn.ts'
import { until } from '../../../../test/support/until.ts'
import type { Target } from '../../src/forward/forwarder.ts'
import { type Pair, startPair } from '../support/forward-pair.ts'
import { conversation, Wire } from '../support/wire.ts'

const test = suite('forward: deaths', { timeoutMs: 20_000 })
const FAR_WORKER = new URL('../fixtures/far-worker.ts', import.meta.url)
const NEAR_WORKER = new URL('../fixtures/near-worker.ts', import.meta.url)

const GET = 'GET /text HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n'
const POST = 'POST /text HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody'

interface FarWorker extends LoggedChild {
  readonly socketPath: string
  readonly target: Target
}

let pair: Pair
let started = 0
let lists: (readonly string[])[] = []

test.before(async () => {
  pair = await startPair({
    app: (server: Pick<Server, 'on'>) => {
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        const parts: Buffer[] = []
        request.on('data', (part: Buffer) => parts.push(part))
        request.on('end', () => response.end(`app had ${request.method} ${Buffer.concat(parts)}`))
      })
    },
  })
})

test.before.each(() => {
  lists = []
})

async function startWorker(): Promise<FarWorker> {
  const name = `worker${started++}`
  const socketPath = join(pair.folder, name)
  const child = spawnLogged(process.execPath, [compiledFixture(FAR_WORKER), socketPath, name])
  await child.untilOutput(/^listening$/m)
  return { ...child, socketPath, target: { socketPath } }
}

/** The first target for the first attempt, and so on; the last one for all later attempts. */
function chooseInTurn(...targets: Target[]): void {
  lists = []
  pair.choose = async (failed) => {
    lists.push([...failed])
    return targets[Math.min(lists.length, targets.length) - 1] as Target
  }
}

function far(): Target {
  return { socketPath: pair.socketPath }
}

for (const [what, path] of [
  ['a missing socket', 'missing.sock'],
  ['a path that is no socket', 'file'],
  ['a path that is too long for a socket', 'x'.repeat(200)],
] as const) {
  test(`${what}: another worker gets the whole request`, async () => {
    const socketPath = join(pair.folder, path)
    if (path === 'file') writeFileSync(socketPath, '')
    for (const [request, answer] of [
      [GET, 'app had GET '],
      [POST, 'app had POST body'],
    ] as const) {
      chooseInTurn({ socketPath }, far())
      assert.ok((await conversation(pair.port, request)).endsWith(`\r\n\r\n${answer}`))
      assert.equal(lists, [[], [socketPath]])
    }
  })

  test(`${what}: this worker can still serve the whole request`, async () => {
    chooseInTurn({ socketPath: join(pair.folder, path) }, 'here')
    assert.ok((await conversation(pair.port, POST)).endsWith('\r\n\r\napp had POST body'))
  })
}

test('a dead worker whose socket file remains: another worker gets the request', async () => {
  const worker = await startWorker()
  worker.process.kill('SIGKILL')
  await worker.ended
  chooseInTurn(worker.target, far())
  assert.ok((await conversation(pair.port, POST)).endsWith('app had POST body'))
  assert.equal(lists, [[], [worker.socketPath]])
})

if (process.platform === 'linux') {
  test('without a free descriptor for the connection to another worker the request waits for one', async () => {
    const worker = await startWorker()
    chooseInTurn('here', worker.target)
    const wire = new Wire(pair.port)
    await wire.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n').untilText('app had GET')
    wire.text = ''
    const reserve = Array.from({ length: 16 }, () => openSync(devNull, 'r'))
    const end = exhaustDescriptors(process.pid)
    try {
      wire.write(GET)
      await until(() => lists.length >= 3, 3000, 'a third attempt')
      assert.is(wire.text, '')
    } finally {
      for (const fd of reserve) closeSync(fd)
      end()
    }
    await wire.untilText(/worker\d+ had GET/)
    assert.ok(lists.every((failed) => failed.length === 0))
    wire.destroy()
    await worker.stop()
  })
}

test('after three missing workers: 502, and no further attempt', async () => {
  chooseInTurn({ socketPath: join(pair.folder, 'missing') })
  const answer = await conversation(pair.port, GET)
  assert.match(
    answer,
    /^HTTP\/1\.1 502 Bad Gateway\r\nContent-Type: text\/plain\r\nContent-Length: 16\r\n[\s\S]*\r\n\r\n502 Bad Gateway\n$/,
  )
  assert.is(lists.length, 3)
})

test('no worker is available: 503 with Retry-After; the connection stays', async () => {
  chooseInTurn('none', 'none', far())
  const wire = new Wire(pair.port)
  await wire.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n').untilText('503 Service Unavailable\n')
  assert.match(wire.text, /^HTTP\/1\.1 503 Service Unavailable\r\n[\s\S]*Retry-After: 1\r\n/)
  wire.text = ''
  await wire.write('HEAD / HTTP/1.1\r\nHost: test\r\n\r\n').untilText(/503[\s\S]*\r\n\r\n$/)
  wire.text = ''
  await wire.write(POST).untilText('app had POST body')
  wire.destroy()
})

test('no worker is available for an upload: 503, and the connection stays', async () => {
  chooseInTurn('none', far())
  const wire = new Wire(pair.port).write('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n').write(Buffer.alloc(500_000))
  await wire.untilText('503 Service Unavailable\n')
  await wire.write(Buffer.alloc(500_000)).write(GET).untilText('app had GET')
  wire.destroy()
})

test('the choice fails: 503', async () => {
  for (const choose of [
    async () => Promise.reject(new Error('no answer')),
    () => {
      throw new Error('not even a promise')
    },
  ]) {
    pair.choose = choose
    assert.match(await conversation(pair.port, GET), /^HTTP\/1\.1 503 /)
  }
})

test('here: the app gets the request as it came', async () => {
  chooseInTurn('here')
  assert.ok((await conversation(pair.port, POST)).endsWith('app had POST body'))
  const wire = new Wire(pair.port).write(
    'POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 4\r\n\r\n',
  )
  await wire.untilText('100 Continue\r\n\r\n')
  assert.ok((await wire.write('body').untilEnd()).endsWith('app had POST body'))
})

test('more requests to one worker than allowed: 503', async () => {
  const own = await startPair({ app: () => {}, forwarder: { maxConnections: 3 } })
  const wires = Array.from({ length: 5 }, () => new Wire(own.port).write('GET / HTTP/1.1\r\nHost: test\r\n\r\n'))
  await until(() => wires.filter((wire) => wire.text.startsWith('HTTP/1.1 503')).length === 2 && own.privateSockets.size === 3)
  for (const wire of wires) wire.destroy()
  await until(() => own.privateSockets.size === 0)
  await own.stop()
})

for (const [title, warm] of [
  ['on new connections', false],
  ['on connections used before', true],
] as const) {
  test(`a blocked worker is killed ${title}: another worker gets what it had not read, once`, async () => {
    const [first, second] = await Promise.all([startWorker(), startWorker()])
    const requests = [
      GET,
      'HEAD /text HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n',
      POST,
      'DELETE /text HTTP/1.1\r\nHost: test\r\n\r\n',
    ]
    pair.choose = async () => first.target
    if (warm) {
      const wires = requests.map(() => new Wire(pair.port).write('POST /warm HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n'))
      await first.untilOutput(new RegExp(`(begun POST /warm\\s+){${requests.length}}`))
      for (const wire of wires) wire.write('x')
      for (const wire of wires) await wire.untilText('/warm 1')
      for (const wire of wires) wire.destroy()
    }
    const blocked = new Wire(pair.port).write('POST /block HTTP/1.1\r\nHost: test\r\n\r\n')
    await first.untilOutput(/begun POST \/block/)
    let asked = 0
    pair.choose = async (failed) => {
      asked++
      return failed.length === 0 ? first.target : second.target
    }
    const wires = requests.map((request) => new Wire(pair.port).write(request))
    await until(() => asked === requests.length)
    await new Promise((resolve) => setTimeout(resolve, 50))
    first.process.kill('SIGKILL')
    await wires[0]?.untilText(/worker\d+ had GET/)
    await wires[1]?.untilText(/200 OK/)
    await wires[2]?.untilText(/worker\d+ had POST \/text 4/)
    await wires[3]?.untilText(/worker\d+ had DELETE/)
    assert.not.match(first.output(), /text/)
    assert.is(second.output().match(/begun/g)?.length, requests.length)
    // The dead worker had begun this request, so it is not repeated.
    await blocked.untilText('502 Bad Gateway\n')
    for (const wire of [...wires, blocked]) wire.destroy()
  })
}

test('a large upload to a worker that is killed before it has read it: 502', async () => {
  const worker = await startWorker()
  pair.choose = async () => worker.target
  const blocked = new Wire(pair.port).write('POST /block HTTP/1.1\r\nHost: test\r\n\r\n')
  await worker.untilOutput(/begun POST \/block/)
  const wire = new Wire(pair.port)
    .write('POST /text HTTP/1.1\r\nHost: test\r\nContent-Length: 4000000\r\n\r\n')
    .write(Buffer.alloc(4_000_000))
  await new Promise((resolve) => setTimeout(resolve, 50))
  worker.process.kill('SIGKILL')
  await wire.untilText('502 Bad Gateway\n')
  wire.destroy()
  blocked.destroy()
})

test('a worker dies of a request: another gets it if the method is idempotent, else 502', async () => {
  const workers = await Promise.all([startWorker(), startWorker(), startWorker(), startWorker()])
  const [first, second, third, fourth] = workers as [FarWorker, FarWorker, FarWorker, FarWorker]
  chooseInTurn(first.target, far())
  assert.ok((await conversation(pair.port, 'PUT /die HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')).endsWith('app had PUT '))
  assert.equal(lists, [[], [first.socketPath]])
  chooseInTurn(second.target, far())
  assert.match(await conversation(pair.port, 'POST /die HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 502 /)
  assert.is(lists.length, 1)
  chooseInTurn(third.target, far())
  assert.match(
    await conversation(pair.port, 'PUT /die HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx'),
    /^HTTP\/1\.1 502 /,
  )
  for (const worker of [first, second, third]) await worker.ended
  chooseInTurn(fourth.target)
  assert.match(await conversation(pair.port, GET.replace('/text', '/die')), /^HTTP\/1\.1 502 /)
  assert.is(lists.length, 3)
})

for (const path of ['/die-in-chunks', '/die-in-length']) {
  test(`a worker dies in the middle of an answer (${path}): its client's connection breaks`, async () => {
    const worker = await startWorker()
    chooseInTurn(worker.target, far())
    const wire = new Wire(pair.port).write(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`)
    await wire.untilEnd()
    wire.destroy()
    assert.match(wire.text, /^HTTP\/1\.1 200 OK[\s\S]*part(\r\n)?$/)
    assert.is(lists.length, 1)
  })
}

test('a worker dies in the middle of an HTTP/1.0 answer without framing: the client gets a reset', async () => {
  const worker = await startWorker()
  chooseInTurn(worker.target)
  const wire = new Wire(pair.port).write('GET /die-in-chunks HTTP/1.0\r\n\r\n')
  await wire.untilClosed()
  assert.match(wire.text, /part$/)
  assert.is(wire.error?.code, 'ECONNRESET')
})

test('the idle connections to a dead worker vanish', async () => {
  const worker = await startWorker()
  const { freeSockets } = (pair.forwarder as unknown as { options: { connections: Agent } }).options.connections
  chooseInTurn(worker.target)
  const wires = [0, 1, 2].map(() => new Wire(pair.port).write('POST /text HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n'))
  await worker.untilOutput(/(begun POST \/text\s+){3}/)
  for (const wire of wires) await wire.write('x').untilText('/text 1')
  await until(() => freeSockets[worker.socketPath]?.length === 3)
  worker.process.kill('SIGKILL')
  await until(() => freeSockets[worker.socketPath] === undefined)
  for (const wire of wires) wire.destroy()
})

test('idle connections keep no process alive', async () => {
  const worker = await startWorker()
  const near = spawnLogged(process.execPath, [compiledFixture(NEAR_WORKER), worker.socketPath])
  await near.untilOutput(/worker\d+ had GET/)
  assert.is((await near.ended).code, 0)
  assert.not.match(near.output(), /Warning/)
})

for (const [title, bytes] of [
  ['something other than HTTP', 'Hello, this is no HTTP\r\n\r\n'],
  ['a head that never ends', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(2_000_000)}`],
  ['broken chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['an upgrade that was not requested', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes'],
  ['two answers', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb'],
] as const) {
  test(`a worker answers ${title}`, async () => {
    const socketPath = join(pair.folder, `odd${started++}`)
    const sockets = new Set<Socket>()
    const server = createNetServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('data', () => socket.write(bytes, 'latin1'))
    })
    await new Promise<void>((resolve) => void server.listen(socketPath, resolve))
    atSuiteEnd(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    chooseInTurn({ socketPath })
    const answer = await conversation(pair.port, GET)
    if (title === 'two answers') assert.ok(answer.endsWith('\r\n\r\na'))
    else if (title === 'broken chunks') assert.match(answer, /^(HTTP\/1\.1 200 OK[\s\S]*\r\n\r\n)?$/)
    else assert.is(answer, '')
  })
}

test.run()
