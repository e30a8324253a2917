// Describes listening descriptors by the native module and by the tables in /proc.

import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { connect, createServer, type ListenOptions, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { describeByTables } from '../../src/acceptor/described-listener.ts'
import { type DescribedListener, describeListener, listeningDescriptor } from '../../src/index.ts'

const test = suite('described listener')
const folder = mkdtempSync(join(tmpdir(), 'described-'))
atSuiteEnd(() => rmSync(folder, { recursive: true }))

async function withServer(where: ListenOptions, body: (fd: number, port: number) => void | Promise<void>): Promise<void> {
  const server: Server = createServer().listen(where)
  await untilEvent(server, 'listening')
  const address = server.address()
  try {
    await body(listeningDescriptor(server) as number, typeof address === 'object' ? (address?.port ?? 0) : 0)
  } finally {
    server.close()
  }
}

const path = join(folder, 'a.sock')
const cases: readonly [where: ListenOptions, expected: Partial<DescribedListener>][] = [
  [
    { host: '127.0.0.1', port: 0 },
    { host: '127.0.0.1', ipv6Only: false },
  ],
  [
    { host: '0.0.0.0', port: 0 },
    { host: '0.0.0.0', ipv6Only: false },
  ],
  [
    { host: '::', port: 0 },
    { host: '::', ipv6Only: false },
  ],
  [
    { host: '::', port: 0, ipv6Only: true },
    { host: '::', ipv6Only: true },
  ],
  [{ host: '::1', port: 0 }, { host: '::1' }],
  [{ path }, { path, ipv6Only: false }],
]

for (const [where, expected] of cases) {
  test(`${where.path ?? `${where.host}${where.ipv6Only ? ', IPv6 only' : ''}`}`, () =>
    withServer(where, (fd, port) => {
      const address = where.path === undefined ? { host: where.host, port, path: undefined } : { host: undefined, port: undefined, path }
      const native = describeListener(fd)
      assert.equal({ host: native?.host, port: native?.port, path: native?.path }, address)
      if ('ipv6Only' in expected) assert.is(native?.ipv6Only, expected.ipv6Only)
      // The tables do not show whether IPv6 includes IPv4.
      const ipv6Only = where.host?.includes(':') ? undefined : false
      assert.equal(describeByTables(fd), { ...address, ipv6Only })
    }))
}

test('a descriptor that does not listen is not described', () =>
  withServer({ host: '127.0.0.1', port: 0 }, async (_fd, port) => {
    const client = connect(port, '127.0.0.1')
    await untilEvent(client, 'connect')
    const file = openSync(folder, 'r')
    const connected = (client as unknown as { _handle: { fd: number } })._handle.fd
    for (const fd of [connected, file, 9999]) {
      assert.is(describeListener(fd), undefined)
      assert.is(describeByTables(fd), undefined)
    }
    closeSync(file)
    client.destroy()
  }))

test.run()
