// The contract of an acceptor on every transport. The suite of each transport calls it.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, type suite } from '../../../../test/suite.ts'
import { openDescriptors } from '../../../../test/support/descriptors.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { type Acceptor, type AcceptorOptions, describeListener, listenerOf, type Transport } from '../../src/index.ts'
import { native } from '../../src/native-module.ts'
import { HEAD, LIMITS } from '../contract-worker.ts'

interface Arrived {
  readonly fd: number
  readonly tag: number
  readonly target: string
  readonly address: string | undefined
}

interface OpenAcceptor {
  readonly acceptor: Acceptor
  readonly arrivals: Arrived[]
  readonly hungUp: number[]
  readonly where: NetConnectOpts
}

/** Adds the contract to a suite. */
export function acceptorContract(test: ReturnType<typeof suite>, transport: Transport): void {
  async function withAcceptor(
    more: Partial<AcceptorOptions> & { early?: boolean; peek?: boolean },
    body: (opened: OpenAcceptor) => Promise<void>,
  ) {
    const arrivals: Arrived[] = []
    const hungUp: number[] = []
    const { early = false, peek = true, ...limits } = more
    const acceptor = transport.openAcceptor({ ...LIMITS, ...limits })
    acceptor.start({
      onArrival: ({ fd, tag, head }) => arrivals.push({ fd, tag, target: head.target ?? '', address: head.remoteAddress }),
      onHangUp: (fd) => hungUp.push(fd),
      onBatchEnd() {},
    })
    const { port } = await acceptor.listen({ host: '127.0.0.1', port: 0, peek })
    if (!early) acceptor.accept()
    try {
      await body({ acceptor, arrivals, hungUp, where: { port: port as number, host: '127.0.0.1' } })
      const { accepted, givenBack, refused, closed, waiting } = acceptor.counts
      const ended = Object.values(refused).reduce((sum, count) => sum + count, 0) + closed + waiting
      assert.is(accepted + givenBack, ended, 'every connection is accounted for')
    } finally {
      acceptor.close()
    }
  }

  function client(where: NetConnectOpts, first?: string): { socket: Socket; answer: () => string } {
    const socket = connect({ allowHalfOpen: true, ...where })
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', () => {})
    if (first !== undefined) socket.write(first)
    return { socket, answer: () => answer }
  }

  test('a whole head arrives, with the address of its client', async () => {
    await withAcceptor({}, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where, HEAD)
      await until(() => arrivals.length === 1)
      const [arrival] = arrivals as [Arrived]
      assert.equal([arrival.target, arrival.address, listenerOf(arrival.tag)], ['/', '127.0.0.1', 0])
      acceptor.drop(arrival.fd)
      // With or without an error, because its bytes may be unread.
      await until(() => socket.readableEnded || socket.destroyed)
      socket.destroy()
    })
  })

  test('a head in pieces waits, and arrives once', async () => {
    await withAcceptor({}, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where, HEAD.slice(0, 7))
      await until(() => acceptor.counts.waiting === 1)
      for (const byte of HEAD.slice(7)) {
        socket.write(byte)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await until(() => arrivals.length > 0)
      assert.is(acceptor.counts.waiting, 0)
      assert.is(arrivals.length, 1)
      acceptor.drop(arrivals[0]?.fd as number)
      socket.destroy()
    })
  })

  for (const [title, bytes, status, reason] of [
    ['a head that is too large', `GET /${'a'.repeat(2000)}`, 431, 'head-too-large'],
    ['bytes that are no HTTP', 'hello there, is this a mail server?\r\n\r\n', 400, 'not-http'],
    ['a head that does not end in time', 'GET / HTTP/1.1\r\nHo', 408, 'head-timeout'],
    ['silence', undefined, 408, 'head-timeout'],
  ] as const) {
    test(`${title} is answered ${status}`, async () => {
      await withAcceptor({ headTimeoutMs: 300 }, async ({ acceptor, arrivals, where }) => {
        const { socket, answer } = client(where, bytes)
        await until(() => answer().includes('\r\n\r\n'), 5000, 'an answer')
        assert.match(answer(), new RegExp(`^HTTP/1.1 ${status} `))
        assert.is(acceptor.counts.refused[reason], 1)
        assert.equal(arrivals, [])
        socket.end()
        await until(() => acceptor.counts.lingering === 0)
        socket.destroy()
      })
    })
  }

  test('a refusal arrives whole while its client keeps sending, and lingers for a bounded time', async () => {
    await withAcceptor({}, async ({ acceptor, where }) => {
      const { socket, answer } = client(where, `GET /${'a'.repeat(2000)}`)
      const pump = setInterval(() => socket.write(Buffer.alloc(4096)), 2)
      await until(() => answer().includes('\r\n\r\n'))
      await until(() => acceptor.counts.lingering === 0, 3000, 'the end of lingering')
      clearInterval(pump)
      assert.match(answer(), /^HTTP\/1.1 431 [\s\S]*\r\n\r\n431 /)
      socket.destroy()
    })
  })

  test('incomplete heads are bounded, in all and per address; a complete one is not', async () => {
    for (const [limits, status] of [
      [{ maxUnrouted: 3 }, 503],
      [{ maxUnroutedPerAddress: 3 }, 429],
    ] as const) {
      await withAcceptor(limits, async ({ acceptor, arrivals, where }) => {
        const held = [1, 2, 3].map(() => client(where, 'GET / HT'))
        await until(() => acceptor.counts.waiting === 3)
        const over = client(where, 'GET / HT')
        await until(() => over.answer().includes('\r\n\r\n'))
        assert.match(over.answer(), new RegExp(`^HTTP/1.1 ${status} `))
        const whole = client(where, HEAD)
        await until(() => arrivals.length === 1)
        acceptor.drop(arrivals[0]?.fd as number)
        for (const { socket } of [...held, over, whole]) socket.destroy()
        await until(() => acceptor.counts.waiting === 0)
      })
    }
  })

  test('without a peek a connection arrives before its client has sent anything', async () => {
    await withAcceptor({ peek: false }, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where)
      await until(() => arrivals.length === 1)
      assert.is(arrivals[0]?.target, '')
      acceptor.drop(arrivals[0]?.fd as number)
      socket.destroy()
    })
  })

  test('early connections wait until the acceptor accepts', async () => {
    await withAcceptor({ early: true }, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where, HEAD)
      await untilEvent(socket, 'connect')
      assert.not.ok(acceptor.isAccepting)
      assert.equal(arrivals, [])
      acceptor.accept()
      await until(() => arrivals.length === 1)
      assert.ok(acceptor.isAccepting)
      acceptor.drop(arrivals[0]?.fd as number)
      socket.destroy()
    })
  })

  test('a unix socket is replaced when its process has exited', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'acceptor-'))
    atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'listener.sock')
    const code = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', code])
    assert.ok(existsSync(path))
    await withAcceptor({ early: true }, async ({ acceptor, arrivals }) => {
      assert.equal(await acceptor.listen({ path }), { host: undefined, port: undefined, path, number: 1 })
      acceptor.accept()
      const { socket } = client({ path }, HEAD)
      await until(() => arrivals.length === 1)
      assert.is(listenerOf(arrivals[0]?.tag as number), 1)
      acceptor.drop(arrivals[0]?.fd as number)
      socket.destroy()
    })
  })

  test('the file of a unix socket outlives the acceptor, because another process may listen at its path', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'acceptor-'))
    atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'listener.sock')
    await withAcceptor({}, async ({ acceptor }) => {
      await acceptor.listen({ path })
      assert.equal(readdirSync(folder), ['listener.sock'])
    })
    assert.equal(readdirSync(folder), ['listener.sock'])
    rmSync(path)
  })

  test('an inherited socket accepts no client before the acceptor does, and no client is lost', async () => {
    const fd = native().listenTcp('127.0.0.1', 0, false, 8, 0)
    const port = native().boundPort(fd)
    await withAcceptor({ early: true }, async ({ acceptor, arrivals }) => {
      const inherited = { fd, host: '127.0.0.1', port, path: undefined }
      assert.equal(await acceptor.listen({ host: '127.0.0.1', port }, inherited), { host: '127.0.0.1', port, path: undefined, number: 1 })
      assert.equal(
        acceptor.listening.map(({ number }) => number),
        [0, 1],
      )
      assert.is(acceptor.listening[1]?.fd, fd)
      const { socket } = client({ host: '127.0.0.1', port }, HEAD)
      await untilEvent(socket, 'connect')
      await new Promise((resolve) => setTimeout(resolve, 50))
      assert.equal([acceptor.counts.accepted, arrivals.length], [0, 0])
      acceptor.accept()
      await until(() => arrivals.length === 1)
      assert.is(listenerOf(arrivals[0]?.tag as number), 1)
      acceptor.drop(arrivals[0]?.fd as number)
      socket.destroy()
    })
    assert.is(describeListener(fd), undefined)
  })

  test('an inherited socket that was never opened is closed with the acceptor', async () => {
    const fd = native().listenTcp('127.0.0.1', 0, false, 8, 0)
    const port = native().boundPort(fd)
    await withAcceptor({ early: true }, async ({ acceptor }) => {
      await acceptor.listen({ host: '127.0.0.1', port }, { fd, host: '127.0.0.1', port, path: undefined })
    })
    assert.is(describeListener(fd), undefined)
  })

  test('listeners of another process have numbers, and their heads are peeked at as that process does', async () => {
    await withAcceptor({}, async ({ acceptor }) => {
      assert.equal([acceptor.addForeign(false), acceptor.addForeign(true)], [1, 2])
      assert.equal(acceptor.peeks, { 0: true, 1: false, 2: true })
      assert.equal(
        acceptor.listening.map(({ number }) => number),
        [0],
      )
    })
  })

  /** Closes the arrived connections and their clients. */
  function endAll(acceptor: Acceptor, arrivals: readonly Arrived[], clients: readonly { socket: Socket }[]): void {
    for (const { fd } of arrivals) acceptor.drop(fd)
    for (const { socket } of clients) socket.destroy()
  }

  /** Resolves with `connected`, or with the code of the error. */
  async function tried(where: NetConnectOpts): Promise<string> {
    const { socket } = client(where)
    const outcome = await Promise.race([
      untilEvent(socket, 'connect').then(() => 'connected'),
      new Promise<string>((resolve) => socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? ''))),
    ])
    socket.destroy()
    return outcome
  }

  test('a listener that is opened later accepts no client before `acceptOn`', async () => {
    await withAcceptor({}, async ({ acceptor, arrivals, where }) => {
      const { port, number } = await acceptor.listen({ host: '127.0.0.1', port: 0 })
      const clients = [client({ host: '127.0.0.1', port: port as number }, HEAD), client(where, HEAD)]
      await until(() => arrivals.length === 1)
      assert.is(listenerOf(arrivals[0]?.tag as number), 0)
      acceptor.acceptOn(number)
      await until(() => arrivals.length === 2)
      assert.is(listenerOf(arrivals[1]?.tag as number), number)
      endAll(acceptor, arrivals, clients)
    })
  })

  test('a closed listener refuses new clients, and the others accept them', async () => {
    await withAcceptor({}, async ({ acceptor, arrivals, where }) => {
      const { port, number } = await acceptor.listen({ host: '127.0.0.1', port: 0 })
      const late = { host: '127.0.0.1', port: port as number }
      acceptor.acceptOn(number)
      const clients = [client(late, HEAD)]
      await until(() => arrivals.length === 1)
      acceptor.closeListener(number)
      await until(async () => (await tried(late)) === 'ECONNREFUSED')
      clients.push(client(where, HEAD))
      await until(() => arrivals.length === 2)
      assert.is(listenerOf(arrivals[1]?.tag as number), 0)
      assert.equal(Object.keys(acceptor.peeks), ['0'])
      // Its number is not reused at once, because open connections refer to it.
      assert.is((await acceptor.listen({ host: '127.0.0.1', port: 0 })).number, number + 1)
      endAll(acceptor, arrivals, clients)
    })
  })

  test('peeking can be turned off and on for a listener', async () => {
    await withAcceptor({}, async ({ acceptor, arrivals, where }) => {
      acceptor.setPeek(0, false)
      const clients = [client(where)]
      await until(() => arrivals.length === 1)
      acceptor.setPeek(0, true)
      clients.push(client(where, HEAD))
      await until(() => arrivals.length === 2)
      assert.equal(
        arrivals.map(({ target }) => target),
        ['', '/'],
      )
      endAll(acceptor, arrivals, clients)
    })
  })

  test('a unix socket whose file was removed gets a new one, with the given mode', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'acceptor-'))
    atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'listener.sock')
    await withAcceptor({}, async ({ acceptor, arrivals }) => {
      const { number } = await acceptor.listen({ path, mode: 0o600 })
      acceptor.acceptOn(number)
      assert.is(statSync(path).mode & 0o777, 0o600)
      rmSync(path)
      await acceptor.relisten(number, { path, mode: 0o660 })
      assert.is(statSync(path).mode & 0o777, 0o660)
      const clients = [client({ path }, HEAD)]
      await until(() => arrivals.length === 1)
      assert.is(listenerOf(arrivals[0]?.tag as number), number)
      endAll(acceptor, arrivals, clients)
    })
  })

  test('an address in use is an error with its code', async () => {
    await withAcceptor({}, async ({ acceptor, where }) => {
      const { port } = where as { port: number }
      const error = await acceptor.listen({ host: '127.0.0.1', port }).then(
        () => undefined,
        (reason: NodeJS.ErrnoException) => reason,
      )
      assert.is(error?.code, 'EADDRINUSE')
    })
  })

  test('a readmitted connection arrives again, unless its client has hung up', async () => {
    await withAcceptor({}, async ({ acceptor, arrivals, hungUp, where }) => {
      const { socket } = client(where, HEAD)
      await until(() => arrivals.length === 1)
      const [{ fd, tag }] = arrivals as [Arrived]
      const again = acceptor.readmit({ fd, tag, carried: undefined })
      assert.equal([again?.fd, again?.tag, again?.head.target, again?.head.remoteAddress], [fd, tag, '/', '127.0.0.1'])
      acceptor.watchHangUp(fd)
      socket.resetAndDestroy()
      await until(() => hungUp.length === 1, 3000, 'onHangUp')
      assert.equal(hungUp, [fd])
      acceptor.unwatchHangUp(fd)
      assert.is(acceptor.readmit({ fd, tag, carried: undefined }), undefined)
      assert.is(arrivals.length, 1)
      assert.is(acceptor.counts.closed, 1)
    })
  })

  test('a hang-up is not reported after `unwatchHangUp`', async () => {
    await withAcceptor({}, async ({ acceptor, arrivals, hungUp, where }) => {
      const { socket } = client(where, HEAD)
      await until(() => arrivals.length === 1)
      const fd = arrivals[0]?.fd as number
      acceptor.watchHangUp(fd)
      acceptor.unwatchHangUp(fd)
      socket.destroy()
      const other = client(where, HEAD)
      await until(() => arrivals.length === 2)
      assert.equal(hungUp, [])
      for (const { fd } of arrivals) acceptor.drop(fd)
      other.socket.destroy()
    })
  })

  test('connections that are held off for a moment still arrive', async () => {
    await withAcceptor({}, async ({ acceptor, arrivals, where }) => {
      const before = client(where, HEAD)
      await until(() => arrivals.length === 1)
      acceptor.holdOff(1)
      acceptor.holdOff(1)
      const after = client(where, HEAD)
      await until(() => arrivals.length === 2, 3000, 'the end of the hold-off')
      for (const { fd } of arrivals) acceptor.drop(fd)
      for (const { socket } of [before, after]) socket.destroy()
    })
  })

  test('a client that ends its side in the middle of a head is dropped', async () => {
    await withAcceptor({}, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where)
      socket.end('GET / HT')
      await until(() => acceptor.counts.closed === 1)
      assert.equal([arrivals.length, acceptor.counts.waiting], [0, 0])
      socket.destroy()
    })
  })

  test('a closed acceptor leaves no descriptor', async () => {
    const before = openDescriptors()
    const clients: { socket: Socket }[] = []
    await withAcceptor({}, async ({ acceptor, arrivals, where }) => {
      clients.push(client(where, 'GET / HT'), client(where, 'G'), client(where, 'noise\0\0\0\0'), client(where, HEAD))
      await until(() => arrivals.length === 1 && acceptor.counts.waiting === 2 && acceptor.counts.lingering === 1)
      acceptor.drop(arrivals[0]?.fd as number)
    })
    for (const { socket } of clients) socket.destroy()
    await until(() => openDescriptors() <= before, 3000, 'descriptors as before')
  })
}
