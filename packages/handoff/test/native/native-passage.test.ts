// Passes connections between two primaries, with both ends of the passage in this process.

import { closeSync } from 'node:fs'
import { connect, createServer, type Server, Socket } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { openDescriptors } from '../../../../test/support/descriptors.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { nativeTransport, type Passage, type Passed } from '../../src/index.ts'
import { native, owners } from '../../src/native-module.ts'
import { ProxiedClient } from '../../src/proxied-client.ts'
import { binaryHeader } from '../acceptor/support/proxy-headers.ts'

const test = suite('native passage')
const { passages } = nativeTransport()

/** Another descriptor of the same connection, which the test owns. */
function copy(fd: number): number {
  const copied = native().copyDescriptor(fd)
  owners?.move(copied, 'none', 'dispatcher')
  return copied
}

function close(fd: number): void {
  owners?.move(fd, 'dispatcher', 'none')
  closeSync(fd)
}

interface End {
  readonly passage: Passage
  readonly passed: Passed[]
  batches: number
}

async function withPassage(
  body: (one: End, other: End, pair: () => Promise<{ client: Socket; fd: number }>) => Promise<void>,
): Promise<void> {
  const server: Server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await untilEvent(server, 'listening')
  const { port } = server.address() as { port: number }
  const clients: Socket[] = []
  /** A client, and the descriptor of the server's side of its connection. */
  const pair = async () => {
    const client = connect(port, '127.0.0.1')
    clients.push(client)
    const [accepted] = (await untilEvent(server, 'connection')) as [Socket]
    const fd = copy((accepted as unknown as { _handle: { fd: number } })._handle.fd)
    accepted.destroy()
    return { client, fd }
  }
  const end = (open: (listener: { onPassed(one: Passed): void; onBatchEnd(): void }) => Passage): End => {
    const made = { passed: [] as Passed[], batches: 0 }
    const passage = open({
      onPassed: (one) => made.passed.push(one),
      onBatchEnd: () => {
        made.batches++
      },
    })
    return Object.assign(made, { passage })
  }
  let remote = -1
  const one = end((listener) => {
    const opened = (passages as NonNullable<typeof passages>).open(listener)
    remote = opened.remote
    return opened.passage
  })
  const other = end((listener) => (passages as NonNullable<typeof passages>).join(remote, listener))
  try {
    await body(one, other, pair)
  } finally {
    for (const { passage, passed } of [one, other]) {
      passage.close()
      for (const { connection } of passed) close(connection.fd)
    }
    for (const client of clients) client.destroy()
    server.close()
  }
}

test('connections go both ways, unchanged', () =>
  withPassage(async (one, other, pair) => {
    const [first, second, third] = [await pair(), await pair(), await pair()]
    assert.ok(one.passage.pass({ connection: { fd: first.fd, tag: 3, carried: undefined } }))
    assert.ok(one.passage.pass({ connection: { fd: second.fd, tag: 259, carried: Buffer.from('GET / HTTP/1.1\r\n\r\n') }, isFinal: true }))
    assert.ok(other.passage.pass({ connection: { fd: third.fd, tag: 1, carried: undefined }, rest: { timeoutMs: 1500 } }))
    await until(() => other.passed.length === 2 && one.passed.length === 1)
    const fieldsOf = ({ connection: { tag, carried }, rest, isFinal }: Passed) => [tag, carried?.toString(), rest?.timeoutMs, isFinal]
    assert.equal(other.passed.map(fieldsOf), [
      [3, undefined, undefined, false],
      [259, 'GET / HTTP/1.1\r\n\r\n', undefined, true],
    ])
    assert.equal(one.passed.map(fieldsOf), [[1, undefined, 1500, false]])
    assert.equal([one.batches > 0, other.batches > 0], [true, true])
    // The descriptor is of the same connection.
    const { fd } = (other.passed.shift() as Passed).connection
    owners?.move(fd, 'dispatcher', 'none')
    const socket = new Socket({ fd })
    socket.end('hello')
    const [bytes] = await untilEvent(first.client, 'data')
    assert.is(String(bytes), 'hello')
    // Otherwise it would close during a later test, which counts descriptors.
    socket.destroy()
  }))

test('what a proxy said of the client goes along, and whether its header may still come', () =>
  withPassage(async (one, other, pair) => {
    const proxied = ProxiedClient.unpack(binaryHeader({ tlvs: [[0x02, 'example.com']] }).subarray(12))
    const carried = Buffer.from('GET / HTTP/1.1\r\n\r\n')
    one.passage.pass({ connection: { fd: (await pair()).fd, tag: 3, carried, proxied } })
    one.passage.pass({ connection: { fd: (await pair()).fd, tag: 4, carried: undefined, proxied } })
    one.passage.pass({ connection: { fd: (await pair()).fd, tag: 5, carried: undefined, proxied }, rest: { timeoutMs: 1500 } })
    one.passage.pass({ connection: { fd: (await pair()).fd, tag: 6, carried: undefined }, expectsProxy: true })
    await until(() => other.passed.length === 4)
    assert.equal(
      other.passed.map(({ connection: { tag, carried, proxied }, rest, expectsProxy }) => [
        ...[tag, carried?.toString(), proxied?.packed.toString('hex'), rest?.timeoutMs, expectsProxy],
      ]),
      [
        [3, carried.toString(), proxied?.packed.toString('hex'), undefined, undefined],
        [4, undefined, proxied?.packed.toString('hex'), undefined, undefined],
        [5, undefined, proxied?.packed.toString('hex'), 1500, undefined],
        [6, undefined, undefined, undefined, true],
      ],
    )
  }))

test('rest without a bound stays so', () =>
  withPassage(async (one, other, pair) => {
    one.passage.pass({ connection: { fd: (await pair()).fd, tag: 0, carried: undefined }, rest: { timeoutMs: undefined } })
    await until(() => other.passed.length === 1)
    assert.equal(other.passed[0]?.rest, { timeoutMs: undefined })
  }))

test('more connections than the kernel takes at once arrive in order, and no descriptor is left', () =>
  withPassage(async (one, other, pair) => {
    const { fd } = await pair()
    const before = openDescriptors()
    const count = 2000
    const tags: number[] = []
    const take = (): number => {
      for (const { connection } of other.passed.splice(0)) {
        tags.push(connection.tag)
        close(connection.fd)
      }
      return tags.length
    }
    for (let turn = 0; turn < count; turn++) {
      const connection = { fd: copy(fd), tag: turn % 256, carried: Buffer.alloc(turn % 700, 'a') }
      assert.ok(one.passage.pass({ connection }))
      // No more at a time than the descriptor limit allows.
      if (turn % 200 === 199) await until(() => take() === turn + 1)
    }
    assert.is(one.passage.unsent, 0)
    assert.equal(
      tags,
      Array.from({ length: count }, (_, turn) => turn % 256),
    )
    assert.ok(openDescriptors() <= before, `${openDescriptors()} descriptors, ${before} before`)
    close(fd)
  }))

test('when the other side has exited, unsent connections are closed and no more are accepted', () =>
  withPassage(async (one, other, pair) => {
    other.passage.close()
    const { client, fd } = await pair()
    assert.ok(one.passage.pass({ connection: { fd, tag: 0, carried: undefined } }))
    await untilEvent(client, 'close')
    assert.not.ok(one.passage.pass({ connection: { fd: 9999, tag: 0, carried: undefined } }))
    assert.is(one.passage.unsent, 0)
    // Reading after the end does nothing.
    one.passage.readAll()
  }))

test('a connection on its way arrives although its sender has closed', () =>
  withPassage(async (one, other, pair) => {
    const { client, fd } = await pair()
    one.passage.pass({ connection: { fd, tag: 0, carried: undefined } })
    await until(() => one.passage.unsent === 0)
    one.passage.close()
    other.passage.readAll()
    assert.is(other.passed.length, 1)
    assert.not.ok(client.destroyed)
  }))

test.run()
