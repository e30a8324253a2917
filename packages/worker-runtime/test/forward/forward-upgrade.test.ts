// A forwarded upgrade is a tunnel: each side sees the same bytes and the same end as without it.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { compiledFixture } from '../../../../test/support/compiled-fixture.ts'
import { spawnLogged } from '../../../../test/support/spawn.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import type { Choose } from '../../src/forward/forwarder.ts'
import { type Pair, startPair } from '../support/forward-pair.ts'
import { conversation, masked, Wire } from '../support/wire.ts'

const test = suite('forward: upgrades')
const FAR_WORKER = new URL('../fixtures/far-worker.ts', import.meta.url)

type UpgradeHandler = (request: IncomingMessage, socket: Socket, head: Buffer) => void

const MB = 1024 * 1024
const HELD_AT_MOST = 24 * MB
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: Test\r\nConnection: Upgrade\r\nX-Odd:  caf\xe9 \r\nX-Odd: 2\r\n\r\n'

function upgradeTo(path: string, fields = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: test\r\nconnection: upgrade\r\nUpgrade: test\r\n${fields}\r\n`
}

function pairOf(handler: UpgradeHandler, event: 'upgrade' | 'connect' = 'upgrade'): Promise<Pair> {
  return startPair({
    app: (server: Pick<Server, 'on'>) => {
      server.on(event, (request: IncomingMessage, socket: Socket, head: Buffer) => {
        socket.on('error', () => {})
        handler(request, socket, head)
      })
    },
  })
}

/** Runs the same script with a client of the near worker and one of a bare server; both must receive the same. */
async function bothGet(pair: Pair, script: (wire: Wire) => Promise<unknown>): Promise<string> {
  const texts = await Promise.all(
    [pair.port, pair.barePort].map(async (port) => {
      const wire = new Wire(port)
      await script(wire)
      wire.destroy()
      return masked(wire.text)
    }),
  )
  assert.ok(texts[0] === texts[1], `forwarded ${JSON.stringify(texts[0]?.slice(0, 500))}\nbare ${JSON.stringify(texts[1]?.slice(0, 500))}`)
  return texts[0] as string
}

test('the 101 comes as it was written, and the first bytes of both sides with it', async () => {
  const pair = await pairOf((request, socket, head) => {
    socket.write(`${SWITCHED}first `, 'latin1')
    socket.write(JSON.stringify([request.rawHeaders, request.url, request.httpVersion, head.toString()]))
    socket.on('data', (part) => socket.write(`<${part}>`))
    socket.on('end', () => socket.end('bye'))
  })
  const text = await bothGet(pair, async (wire) => {
    wire.write(`${upgradeTo('/a?b', 'Cookie: a\r\nCookie: b\r\nX-L: \xe9\r\n')}early`)
    await wire.untilText('early')
    await wire.write('hello').untilText('<hello>')
    await wire.end().untilEnd()
  })
  assert.ok(text.startsWith(`${SWITCHED}first [`))
  assert.ok(text.endsWith('<hello>bye'))
  assert.not.match(text, /switchyard/)
  await pair.stop()
})

test('a megabyte in each direction arrives complete', async () => {
  const pair = await pairOf((_request, socket) => {
    socket.write(SWITCHED, 'latin1')
    socket.pipe(socket)
  })
  const sent = Buffer.from(Array.from({ length: MB }, (_, index) => (index * 31) & 0xff))
  const text = await bothGet(pair, async (wire) => {
    await wire.write(upgradeTo('/')).untilText('\r\n\r\n')
    await wire.write(sent).end().untilEnd()
  })
  assert.ok(text.endsWith(sent.toString('latin1')))
  await pair.stop()
})

test('either side may end its direction and keep the other', async () => {
  const pair = await pairOf((request, socket) => {
    socket.write(SWITCHED, 'latin1')
    let received = ''
    socket.on('data', (part) => {
      received += part
    })
    if (request.url === '/server-ends') {
      socket.end('all')
      socket.on('end', () => told.push(received))
    } else socket.on('end', () => setTimeout(() => socket.end(`had ${received}`), 20))
  })
  const told: string[] = []
  await bothGet(pair, async (wire) => {
    wire.write(upgradeTo('/client-ends')).write('abc').end()
    await wire.untilEnd()
  })
  await bothGet(pair, async (wire) => {
    await wire.write(upgradeTo('/server-ends')).untilEnd()
    wire.write('after the end').end()
    await wire.untilClosed()
  })
  await until(() => told.length === 2)
  assert.equal(told, ['after the end', 'after the end'])
  await until(() => pair.privateSockets.size === 0)
  await pair.stop()
})

for (const how of ['destroy', 'resetAndDestroy'] as const) {
  test(`a client that hangs up (${how}): the app's socket closes`, async () => {
    let closed = 0
    let open = 0
    const pair = await pairOf((_request, socket) => {
      open++
      socket.write(SWITCHED, 'latin1')
      socket.resume()
      socket.on('close', () => closed++)
      socket.on('end', () => socket.end())
    })
    const wires = [0, 1, 2].map(() => new Wire(pair.port).write(upgradeTo('/')))
    for (const wire of wires) await wire.untilText('\r\n\r\n')
    for (const wire of wires) wire.socket[how]()
    await until(() => closed === 3 && pair.privateSockets.size === 0)
    assert.is(open, 3)
    await pair.stop()
  })
}

test('an app that destroys its socket: the client is cut off', async () => {
  const pair = await pairOf((_request, socket) => {
    socket.write(SWITCHED, 'latin1')
    socket.once('data', () => socket.destroy())
  })
  await bothGet(pair, async (wire) => {
    await wire.write(upgradeTo('/')).untilText('\r\n\r\n')
    await wire.write('x').untilEnd()
  })
  await pair.stop()
})

test('an app that destroys without an answer is called once, and the client is cut off', async () => {
  let calls = 0
  const pair = await pairOf((_request, socket) => {
    calls++
    socket.destroy()
  })
  assert.is(await bothGet(pair, (wire) => wire.write(upgradeTo('/')).untilEnd()), '')
  assert.is(calls, 2)
  await pair.stop()
})

test('an answer that is no 101 comes as it was written', async () => {
  const pair = await pairOf((request, socket) => {
    if (request.url === '/426') socket.end('HTTP/1.1 426 Upgrade Required\r\nUpgrade: other\r\nContent-Length: 3\r\n\r\nno\n')
    else socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno', () => socket.destroy())
  })
  for (const path of ['/426', '/400']) {
    const text = await bothGet(pair, (wire) => wire.write(upgradeTo(path)).untilEnd())
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${path.slice(1)} `))
  }
  await pair.stop()
})

test('a worker without a listener for upgrades answers as always, and knows the client on the next request too', async () => {
  const pair = await pairOf(() => {})
  pair.far.removeAllListeners('upgrade')
  pair.far.on('request', (request: IncomingMessage, response: ServerResponse) => response.end(`from ${request.socket.remotePort}`))
  const wire = new Wire(pair.port)
  await untilEvent(wire.socket, 'connect')
  const { port } = wire.socket.address() as AddressInfo
  await wire.write(upgradeTo('/')).untilText(`from ${port}`)
  wire.text = ''
  await wire.write('GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n').untilText(`from ${port}`)
  await wire.untilEnd()
  wire.destroy()
  await pair.stop()
})

test('CONNECT', async () => {
  const pair = await pairOf((request, socket, head) => {
    socket.write(`HTTP/1.1 200 OK\r\n\r\n${request.url} ${head}`)
    socket.pipe(socket)
  }, 'connect')
  const text = await bothGet(pair, async (wire) => {
    wire.write('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\nabc').end()
    await wire.untilEnd()
  })
  assert.is(text, 'HTTP/1.1 200 OK\r\n\r\nexample.com:443 abc')
  await pair.stop()
})

test('a side that does not read holds the other side back, in both directions', async () => {
  let made = 0
  let appSocket: Socket | undefined
  const pair = await pairOf((_request, socket) => {
    socket.write(SWITCHED, 'latin1')
    appSocket = socket
    const more = (): void => {
      do made += MB / 4
      while (made < 96 * MB && socket.write(Buffer.alloc(MB / 4)))
    }
    socket.on('drain', more)
    more()
  })
  const wire = new Wire(pair.port).write(upgradeTo('/'))
  await wire.untilText('\r\n\r\n')
  wire.socket.pause()
  let sent = 0
  const more = (): void => {
    do sent += MB / 4
    while (sent < 96 * MB && wire.socket.write(Buffer.alloc(MB / 4)))
  }
  wire.socket.on('drain', more)
  more()
  let last = -1
  await until(async () => {
    const still = last === made + sent
    last = made + sent
    await new Promise((resolve) => setTimeout(resolve, 200))
    return still
  })
  assert.ok(made < HELD_AT_MOST, `${made} bytes to the client`)
  assert.ok(sent < HELD_AT_MOST, `${sent} bytes to the app`)
  wire.destroy()
  if (appSocket !== undefined) appSocket.resume()
  await until(() => pair.privateSockets.size === 0)
  await pair.stop()
})

test('the client’s address stays known, whatever requests come meanwhile', async () => {
  const sockets: Socket[] = []
  const pair = await pairOf((_request, socket) => {
    socket.write(SWITCHED, 'latin1')
    sockets.push(socket)
    socket.on('end', () => socket.end())
  })
  const wires = [0, 1, 2].map(() => new Wire(pair.port))
  const ports: (number | undefined)[] = []
  for (const wire of wires) {
    await wire.write(upgradeTo('/')).untilText('\r\n\r\n')
    ports.push((wire.socket.address() as AddressInfo).port)
  }
  assert.equal(
    sockets.map((socket) => socket.remotePort),
    ports,
  )
  for (const wire of wires) wire.destroy()
  await pair.stop()
})

test('no worker: 503; three missing workers: 502; here: the app gets it with its first bytes', async () => {
  const pair = await pairOf((_request, socket, head) => {
    socket.write(`${SWITCHED}had ${head}`, 'latin1')
    socket.on('data', (part) => socket.end(`and ${part}`))
  })
  const missing = { socketPath: join(pair.folder, 'missing') }
  pair.choose = async () => 'none'
  const refused = await conversation(pair.port, upgradeTo('/'))
  assert.match(
    refused,
    /^HTTP\/1\.1 503 Service Unavailable\r\n[\s\S]*Retry-After: 1\r\nConnection: close\r\n\r\n503 Service Unavailable\n$/,
  )
  pair.choose = async () => missing
  assert.match(await conversation(pair.port, upgradeTo('/')), /^HTTP\/1\.1 502 Bad Gateway\r\n/)
  const chosen: Choose[] = [async () => 'here', async (failed) => (failed.length === 0 ? missing : 'here')]
  for (const choose of chosen) {
    pair.choose = choose
    const wire = new Wire(pair.port).write(`${upgradeTo('/')}early`)
    await wire.untilText('had early')
    await wire.write('later').untilText('and later')
    wire.destroy()
  }
  await pair.stop()
})

test('a worker dies with the upgrade unread, or of it: another gets it; later: the client is cut off', async () => {
  const pair = await pairOf((_request, socket) => socket.end(`${SWITCHED}the far app`))
  const { socketPath } = pair
  const start = async (name: string) => {
    const path = join(pair.folder, name)
    const child = spawnLogged(process.execPath, [compiledFixture(FAR_WORKER), path, name])
    await child.untilOutput(/^listening$/m)
    pair.choose = async (failed) => ({ socketPath: failed.length === 0 ? path : socketPath })
    return child
  }
  await start('dies')
  assert.ok((await conversation(pair.port, upgradeTo('/die'))).endsWith('the far app'))

  const blocked = await start('blocked')
  const blocker = new Wire(pair.port).write('POST /block HTTP/1.1\r\nHost: test\r\n\r\n')
  await blocked.untilOutput(/begun POST/)
  const wire = new Wire(pair.port).write(upgradeTo('/'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  blocked.process.kill('SIGKILL')
  await wire.untilText('the far app')
  assert.not.match(blocked.output(), /upgrade/)
  wire.destroy()
  blocker.destroy()

  await start('later')
  const cut = new Wire(pair.port).write(upgradeTo('/die-later'))
  assert.ok((await cut.untilEnd()).endsWith('\r\n\r\nlater'))
  cut.destroy()
  await pair.stop()
})

test.run()
