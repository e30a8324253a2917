// Rooms that span two balancers, and sockets that know the visitor's session.

import { io, type Socket } from 'socket.io-client'
import { assert, suite } from '../../../../test/suite.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { distinct, type RunningExample, startTwo } from '../../test-support/start.ts'
import { Visitor } from '../../test-support/visitor.ts'

interface WorkerSlot {
  readonly pid: number
}

const test = suite('example socket.io-redis', { timeoutMs: 40_000 })
const sockets: Socket[] = []
let redis: RedisServer
let one: RunningExample
let other: RunningExample

test.before(async () => {
  redis = await startRedis()
  ;[one, other] = await startTwo('socket.io-redis', { REDIS_URL: redis.url })
})
test.after.each(() => {
  for (const socket of sockets.splice(0)) socket.close()
})
test.after(() => one.stop())
test.after(() => other.stop())

function open({ url }: RunningExample, cookie: string, transports: ('polling' | 'websocket')[] = ['websocket']): Socket {
  const socket = io(url, { transports, forceNew: true, reconnection: false, extraHeaders: { cookie } })
  sockets.push(socket)
  return socket
}

async function guest(
  example: RunningExample,
  name: string,
  yard: string,
): Promise<{ socket: Socket; visitor: Visitor; workerSlot: WorkerSlot }> {
  const visitor = new Visitor(example)
  await visitor.post(`/login?name=${name}&yard=${yard}`)
  const socket = open(example, visitor.cookie)
  const [workerSlot] = (await untilEvent(socket as never, 'welcome')) as [WorkerSlot]
  return { socket, visitor, workerSlot }
}

test('what is said in a yard is heard in every worker of both balancers, and in no other yard', async () => {
  const guests: Awaited<ReturnType<typeof guest>>[] = []
  // One after the other, so that each worker has some.
  for (let index = 0; index < 12; index++) guests.push(await guest(index % 2 === 0 ? one : other, `guest${index}`, 'north'))
  const stranger = await guest(other, 'stranger', 'south')
  assert.is(distinct(guests.map(({ workerSlot }) => workerSlot.pid)).length, 4)
  const strays: unknown[] = []
  stranger.socket.on('said', (message) => strays.push(message))
  const heard = Promise.all(guests.map(({ socket }) => untilEvent(socket as never, 'said')))
  guests[0]?.socket.emit('say', 'all aboard')
  for (const [message] of await heard) assert.equal(message, { from: 'guest0', text: 'all aboard' })
  const own = untilEvent(stranger.socket as never, 'said')
  stranger.socket.emit('say', 'nobody here')
  await own
  assert.equal(strays, [{ from: 'stranger', text: 'nobody here' }])
})

test('a visitor who is not logged in is refused', async () => {
  const socket = open(one, '')
  const [error] = (await untilEvent(socket as never, 'connect_error')) as [Error]
  assert.is(error.message, 'not logged in')
})

test('after a logout at the other balancer the socket ends with the next message', async () => {
  const { socket, visitor } = await guest(one, 'Ada', 'east')
  const heard = untilEvent(socket as never, 'said')
  socket.emit('say', 'hello')
  await heard
  await visitor.at(other).post('/logout')
  const closed = untilEvent(socket as never, 'disconnect', 10_000)
  const timer = setInterval(() => socket.emit('say', 'still here?'), 50)
  try {
    assert.is((await closed)[0], 'io server disconnect')
  } finally {
    clearInterval(timer)
  }
})

test('while Redis is away a sender is told so; when it is back, messages arrive again, in the same processes', async () => {
  const [here, there] = [await guest(one, 'Ada', 'harbour'), await guest(other, 'Bea', 'harbour')]
  const speaking = setInterval(() => here.socket.emit('say', 'hello?'), 100)
  try {
    await untilEvent(there.socket as never, 'said')
    redis.pause()
    await untilEvent(here.socket as never, 'later', 10_000)
    redis.resume()
    there.socket.off('said')
    await untilEvent(there.socket as never, 'said', 10_000)
  } finally {
    clearInterval(speaking)
  }
  for (const { socket, workerSlot } of [here, there]) {
    assert.ok(socket.connected)
    process.kill(workerSlot.pid, 0)
  }
})

test('polling clients know their session too', async () => {
  const visitor = new Visitor(other)
  await visitor.post('/login?name=Bea&yard=west')
  const socket = open(other, visitor.cookie, ['polling'])
  await untilEvent(socket as never, 'welcome')
  const heard = untilEvent(socket as never, 'said')
  socket.emit('say', 'slowly')
  assert.equal((await heard)[0], { from: 'Bea', text: 'slowly' })
})

test.run()
