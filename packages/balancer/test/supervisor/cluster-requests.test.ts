// What a worker may ask of node:cluster, by values: what an app needs is let through as new, and everything else has an answer or none.

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
  /** Asks, and lets node:cluster answer that it is done. */
  const open = (more: object = {}): number => {
    const { deliver, revise, reply } = made.read(query(more))
    if (deliver === undefined) return reply?.errno as number
    revise?.({ key: JSON.stringify(deliver), errno: 0 })
    return 0
  }
  return { made, open, clock }
}

test('a server, a UDP socket, a unix socket of an app: asked for again with nothing but what node:cluster reads', () => {
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
  ['a descriptor beside an address', { fd: 0 }, EBADF],
  ['an address that is a name', { address: 'localhost' }, EINVAL],
  ['an address that is no text', { address: { toString: 1 } }, EINVAL],
  ['a port out of range', { port: 65_536 }, EINVAL],
  ['half a port', { port: 1.5 }, EINVAL],
  ['a port that is no number', { port: '80' }, EINVAL],
  ['a kind of address that there is not', { addressType: 'udp5' }, EINVAL],
  ['a path without its kind', { address: '/tmp/a', port: -1 }, EINVAL],
  ['flags that are none', { flags: -1 }, EINVAL],
  ['no index', { index: '0' }, EINVAL],
] as const) {
  test(`${what} is refused`, () => assert.is(requests().open(more), -errno))
}

test('another user gets no low port and no file; of its own rights everything', () => {
  for (const more of [{ port: 81 }, { port: 1023, addressType: 'udp4' }, { address: '/root/a.sock', port: -1, addressType: -1 }]) {
    assert.is(requests(true).open(more), -EACCES)
    assert.is(requests().open(more), 0)
  }
  for (const more of [{}, { port: 0 }, { port: 1024 }]) assert.is(requests(true).open(more), 0)
})

test('the same address twice is in use, until it is closed; of port 0 each is another', () => {
  const { made, open } = requests()
  assert.is(open(), 0)
  assert.is(open({ index: 1 }), -EADDRINUSE)
  assert.equal([open({ port: 0 }), open({ port: 0, index: 1 }), open({ port: 0 })], [0, 0, -EADDRINUSE])
  const { deliver } = requests().made.read(query())
  const close = { cmd: 'NODE_CLUSTER', act: 'close', key: JSON.stringify(deliver) }
  assert.equal(made.read(close).deliver, close)
  assert.equal(made.read(close), {}, 'only what it has opened itself')
  assert.is(open(), 0)
})

test('what node:cluster could not open does not count', () => {
  const { made, open } = requests()
  made.read(query()).revise?.({ key: 'k', errno: -98 })
  assert.is(open(), 0)
})

test('so many at a time, and so many a second', () => {
  const { open, clock } = requests()
  const answers = Array.from({ length: 64 }, (_, index) => open({ port: 0, index }))
  assert.ok(answers.every((errno) => errno === 0))
  assert.is(open({ port: 0, index: 64 }), -EMFILE)
  for (let more = 0; more < 35; more++) open()
  assert.is(open(), -EAGAIN)
  clock.now = 1000
  assert.is(open(), -EMFILE)
})

test('keys of TLS tickets are shared with workers of the same user, and with no other', () => {
  const data = { ticketKeys: 'ab'.repeat(48) }
  const own = requests().made.read(query({ data: { ...data, more: 1 } }))
  assert.equal(own.deliver?.data, data)
  assert.equal(own.revise?.({ key: 'k', data: { ticketKeys: 'first' } }).data, { ticketKeys: 'first' })
  const other = requests(true).made.read(query({ data }))
  assert.is(other.deliver?.data, null)
  assert.equal(other.revise?.({ key: 'k', data: { ticketKeys: 'first' } }).data, data)
  assert.equal(requests().made.read(query({ data, fd: 3 })).reply?.data, data, 'or its own server would throw')
})

test('answers to questions that were never asked, and what node:cluster does not know, are left out', () => {
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

test('that it is there, listens and is about to end is told', () => {
  const { made } = requests()
  assert.equal(made.read({ cmd: 'NODE_CLUSTER', act: 'online', seq: 0 }).deliver, { cmd: 'NODE_CLUSTER', act: 'online' })
  const bye = { cmd: 'NODE_CLUSTER', act: 'exitedAfterDisconnect', seq: 4 }
  assert.equal(made.read(bye).deliver, bye)
  assert.equal(made.read({ cmd: 'NODE_CLUSTER', act: 'listening', ...TCP, address: { a: 1 } }).deliver, {
    ...{ cmd: 'NODE_CLUSTER', act: 'listening' },
    ...{ address: undefined, port: 9464, addressType: 4, fd: undefined },
  })
})

test.run()
