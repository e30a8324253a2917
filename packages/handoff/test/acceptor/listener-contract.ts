// The contract of an acceptor's listeners on every transport: TCP and unix sockets, inherited and later ones.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import type { NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, type suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { describeListener, listenerOf, type Transport } from '../../src/index.ts'
import { native } from '../../src/native-module.ts'
import { HEAD } from '../contract-worker.ts'
import { client, endAll, withAcceptor } from './open-acceptor.ts'

/** Adds the contract to a suite. */
export function listenerContract(test: ReturnType<typeof suite>, transport: Transport): void {
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

  test('a unix socket is replaced when its process has exited', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'acceptor-'))
    atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'listener.sock')
    const code = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', code])
    assert.ok(existsSync(path))
    await withAcceptor(transport, { early: true }, async ({ acceptor, arrivals }) => {
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
    await withAcceptor(transport, {}, async ({ acceptor }) => {
      await acceptor.listen({ path })
      assert.equal(readdirSync(folder), ['listener.sock'])
    })
    assert.equal(readdirSync(folder), ['listener.sock'])
    rmSync(path)
  })

  test('an inherited socket accepts no client before the acceptor does, and no client is lost', async () => {
    const fd = native().listenTcp('127.0.0.1', 0, false, 8, 0)
    const port = native().boundPort(fd)
    await withAcceptor(transport, { early: true }, async ({ acceptor, arrivals }) => {
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
    await withAcceptor(transport, { early: true }, async ({ acceptor }) => {
      await acceptor.listen({ host: '127.0.0.1', port }, { fd, host: '127.0.0.1', port, path: undefined })
    })
    assert.is(describeListener(fd), undefined)
  })

  test('listeners of another process have numbers, and their heads are peeked at as that process does', async () => {
    await withAcceptor(transport, {}, async ({ acceptor }) => {
      assert.equal([acceptor.addForeign(false), acceptor.addForeign(true)], [1, 2])
      assert.equal(acceptor.peeks, { 0: true, 1: false, 2: true })
      assert.equal(
        acceptor.listening.map(({ number }) => number),
        [0],
      )
    })
  })

  test('a listener that is opened later accepts no client before `acceptOn`', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
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
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
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
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
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
    await withAcceptor(transport, {}, async ({ acceptor, arrivals }) => {
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
    await withAcceptor(transport, {}, async ({ acceptor, where }) => {
      const { port } = where as { port: number }
      const error = await acceptor.listen({ host: '127.0.0.1', port }).then(
        () => undefined,
        (reason: NodeJS.ErrnoException) => reason,
      )
      assert.is(error?.code, 'EADDRINUSE')
    })
  })
}
