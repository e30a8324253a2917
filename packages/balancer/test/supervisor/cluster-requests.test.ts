// What a worker may ask of node:cluster: valid requests are rebuilt and delivered, all others are refused or dropped.

import { constants } from 'node:os'
import { assert, suite } from '../../../../test/suite.ts'
import { ClusterRequests } from '../../src/supervisor/workers/cluster-requests.ts'

const { EACCES, EADDRINUSE, EAGAIN, EBADF, EINVAL, EMFILE } = constants.errno
const test = suite('cluster requests')

const TCP = { address: '127.0.0.1', port: 9464, addressType: 4 }
const query = (more: object = {}) => ({ cmd: 'NODE_CLUSTER', act: 'queryServer', seq: 7, index: 0, data: null, flags: 0, ...TCP, ...more })

function requests(isOther = false) {
  const clock = { now: 0 }
  const made = new ClusterRequests({ isOther, now: () => clock.now })
  /** Sends a request and lets node:cluster answer with success. Returns the errno. */
  const open = (more: object = {}): number => {
    const { deliver, revise, reply } = made.read(query(more))
    if (deliver === undefined) return reply?.errno as number
    revise?.({ key: JSON.stringify(deliver), errno: 0 })
    return 0
  }
  return { made, open, clock }
}

test('a request for a server, a UDP socket or a unix socket is rebuilt from the fields that node:cluster reads', () => {
  for (const asked of [
    {},
    { address: null, addressType: 6, port: 0 },
    { address: '::1', addressType: 'udp6', port: 53_000, fd: -1, flags: 4 },
    { address: '/tmp/app.sock', port: -1, addressType: -1 },
  ]) {
    const { deliver } = requests().made.read(query({ ...asked, backlog: 511, path: '/etc', __proto__: { fd: 3 } }))
    const { address, port, addressType, flags = 0 } = { ...TCP, ...asked } as Record<string, unknown>
    assert.equal(deliver, { cmd: 'NODE_CLUSTER', act: 'queryServer', seq: 7, index: 0, data: null, address, port, addressType, flags })
  }
})

for (const [what, more, errno] of [
  ['a descriptor of the primary', { fd: 17, address: null, port: null }, EBADF],
  ['a descriptor together with an address', { fd: 0 }, EBADF],
  ['an address that is a name', { address: 'localhost' }, EINVAL],
  ['an address that is no string', { address: { toString: 1 } }, EINVAL],
  ['a port out of range', { port: 65_536 }, EINVAL],
  ['a fractional port', { port: 1.5 }, EINVAL],
  ['a port that is no number', { port: '80' }, EINVAL],
  ['an unknown address type', { addressType: 'udp5' }, EINVAL],
  ['a path with the address type of IPv4', { address: '/tmp/a', port: -1 }, EINVAL],
  ['negative flags', { flags: -1 }, EINVAL],
  ['an index that is no number', { index: '0' }, EINVAL],
] as const) {
  test(`${what} is refused`, () => assert.is(requests().open(more), -errno))
}

test('a worker of another user gets no privileged port and no unix socket, and everything else', () => {
  for (const more of [{ port: 81 }, { port: 1023, addressType: 'udp4' }, { address: '/root/a.sock', port: -1, addressType: -1 }]) {
    assert.is(requests(true).open(more), -EACCES)
    assert.is(requests().open(more), 0)
  }
  for (const more of [{}, { port: 0 }, { port: 1024 }]) assert.is(requests(true).open(more), 0)
})

test('a second request for an address fails with EADDRINUSE until it is closed; port 0 may be requested again', () => {
  const { made, open } = requests()
  assert.is(open(), 0)
  assert.is(open({ index: 1 }), -EADDRINUSE)
  assert.equal([open({ port: 0 }), open({ port: 0, index: 1 }), open({ port: 0 })], [0, 0, -EADDRINUSE])
  const { deliver } = requests().made.read(query())
  const close = { cmd: 'NODE_CLUSTER', act: 'close', key: JSON.stringify(deliver) }
  assert.equal(made.read(close).deliver, close)
  assert.equal(made.read(close), {}, 'a worker can close only what it has opened')
  assert.is(open(), 0)
})

test('a request that node:cluster refused does not count as open', () => {
  const { made, open } = requests()
  made.read(query()).revise?.({ key: 'k', errno: -98 })
  assert.is(open(), 0)
})

test('64 sockets at a time, 100 requests a second', () => {
  const { open, clock } = requests()
  const answers = Array.from({ length: 64 }, (_, index) => open({ port: 0, index }))
  assert.ok(answers.every((errno) => errno === 0))
  assert.is(open({ port: 0, index: 64 }), -EMFILE)
  for (let more = 0; more < 35; more++) open()
  assert.is(open(), -EAGAIN)
  clock.now = 1000
  assert.is(open(), -EMFILE)
})

test('the keys of TLS session tickets are shared only between workers of the same user', () => {
  const data = { ticketKeys: 'ab'.repeat(48) }
  const own = requests().made.read(query({ data: { ...data, more: 1 } }))
  assert.equal(own.deliver?.data, data)
  assert.equal(own.revise?.({ key: 'k', data: { ticketKeys: 'first' } }).data, { ticketKeys: 'first' })
  const other = requests(true).made.read(query({ data }))
  assert.is(other.deliver?.data, null)
  assert.equal(other.revise?.({ key: 'k', data: { ticketKeys: 'first' } }).data, data)
  assert.equal(requests().made.read(query({ data, fd: 3 })).reply?.data, data, 'without them the TLS server of the worker would throw')
})

test('unexpected answers and unknown messages are dropped', () => {
  const { made } = requests()
  for (const message of [
    query({ ack: 3 }),
    query({ seq: undefined }),
    { cmd: 'NODE_CLUSTER', act: 'newconn' },
    { cmd: 'NODE_CLUSTER', act: '__proto__' },
    { cmd: 'NODE_CLUSTER' },
    { cmd: 'NODE_DEBUG_ENABLED' },
    { cmd: 'NODE_SOCKET_GET_COUNT', key: 'k' },
    { cmd: 'NODE_CLUSTER', act: 'close', key: {} },
  ])
    assert.equal(made.read(message), {})
})

test('online, listening and exitedAfterDisconnect are delivered', () => {
  const { made } = requests()
  assert.equal(made.read({ cmd: 'NODE_CLUSTER', act: 'online', seq: 0 }).deliver, { cmd: 'NODE_CLUSTER', act: 'online' })
  const exit = { cmd: 'NODE_CLUSTER', act: 'exitedAfterDisconnect', seq: 4 }
  assert.equal(made.read(exit).deliver, exit)
  assert.equal(made.read({ cmd: 'NODE_CLUSTER', act: 'listening', ...TCP, address: { a: 1 } }).deliver, {
    ...{ cmd: 'NODE_CLUSTER', act: 'listening' },
    ...{ address: undefined, port: 9464, addressType: 4, fd: undefined },
  })
})

test.run()
