// The path of a connection through the primary, with a fake acceptor and fake workers: what happens while a connection is being placed, and the order in which waiting
// connections are served.

import { leastBusy, type PolicyFunction, roundRobin } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { channelOf, inWorld } from './dispatch-world.ts'

const test = suite('dispatcher')
/** The prefix of targets that the policy of one test accepts. */
let wanted = ''

const firstCandidate: PolicyFunction = (candidates) => candidates[0]

test(
  'a connection that comes back while another is being placed is placed once, after it',
  inWorld({ window: 2, routes: [['/*', 'web', firstCandidate]] }, (world) => {
    const channel = channelOf(world.add())
    const [first] = world.acceptor.arrive('/1') as [number]
    channel.fail()
    // It fills the window, so the worker is polled, and that brings the first connection back.
    const [second] = world.acceptor.arrive('/2') as [number]
    assert.equal(channel.log, [first, second, first])
    assert.equal([channel.outstanding, channel.load.handedOff], [2, 2])
    assert.equal(world.queued(), [])
  }),
)

test(
  'a connection that comes back while the queue is being placed waits behind it, and none is placed twice',
  inWorld({ window: 2 }, (world) => {
    const channel = channelOf(world.add())
    const fds = world.acceptor.arrive('/1', '/2', '/3', '/4', '/5') as [number, number, number, number, number]
    channel.claim()
    channel.onOffer = (fd) => {
      // The window is full again, and the poll finds that the third could not be received.
      if (fd === fds[3]) channel.fail()
    }
    world.look()
    assert.equal(channel.log, fds)
    assert.equal([channel.outstanding, world.queued()], [2, [fds[2]]])
    channel.claim()
    world.look()
    assert.equal(channel.log, [...fds, fds[2]])
  }),
)

test(
  'a worker whose window has filled and emptied gets what waits, in order',
  inWorld({ window: 1 }, (world) => {
    const channel = channelOf(world.add())
    const fds = world.acceptor.arrive('/1', '/2', '/3', '/4')
    assert.equal(channel.log, fds.slice(0, 1))
    assert.equal(world.queued(), fds.slice(1))
    for (let served = 1; served <= 4; served++) {
      channel.claim()
      world.look()
      assert.equal(channel.log, fds.slice(0, served + 1))
    }
    assert.equal([channel.outstanding, channel.claimed, channel.unsent], [0, 4, 0])
  }),
)

test(
  'workers that claim whatever they are offered empty the whole queue in one go, each connection once',
  inWorld({ window: 1 }, (world) => {
    const channels = [world.add('starting'), world.add('starting')].map(channelOf)
    const fds = world.acceptor.arrive(...Array.from({ length: 50 }, (_, index) => `/${index}`))
    assert.is(world.pool().queue.length, 50)
    for (const channel of channels) channel.onOffer = () => channel.claim()
    for (const worker of world.pool().workers) {
      worker.state = 'ready'
      world.changes.workerReady(worker)
    }
    const served = channels.flatMap(({ log }) => log)
    assert.equal(
      served.toSorted((one, other) => one - other),
      fds,
    )
    assert.is(world.pool().queue.length, 0)
  }),
)

test(
  'what is put back stands where it was, and what comes meanwhile behind it',
  inWorld({ window: 1, routes: [['/*', 'web', leastBusy()]] }, (world) => {
    const worker = world.add()
    const channel = channelOf(worker)
    const [served, ...fds] = world.acceptor.arrive('/0', '/1', '/2') as [number, ...number[]]
    channel.load.busyMs = 5
    for (let turn = 0; turn < 3; turn++) {
      // The worker signals a turn, and is busy again when it is polled.
      world.dispatcher.onTurned(worker)
      fds.push(...world.acceptor.arrive('/more'))
      assert.equal(world.queued(), fds)
    }
    channel.load.busyMs = 0
    channel.onOffer = () => channel.claim()
    channel.claim()
    world.look()
    for (let turn = 0; turn < 5; turn++) world.dispatcher.onTurned(worker)
    assert.equal(channel.log, [served, ...fds])
  }),
)

test(
  'what a policy turns down keeps its place, and lets others by',
  inWorld(
    { window: 9, routes: [['/*', 'web', (candidates, head) => (head.target?.startsWith(wanted) ? candidates[0] : undefined)]] },
    (world) => {
      wanted = '/nothing'
      const worker = world.add()
      // An idle loop is tried twice, in case it turned between the attempt and the subscription.
      channelOf(worker).load.busyMs = 5
      const fds = world.acceptor.arrive('/a1', '/b1', '/a2', '/b2', '/a3')
      const [a1, b1, a2, b2, a3] = fds
      wanted = '/b'
      world.dispatcher.onTurned(worker)
      assert.equal(channelOf(worker).log, [b1, b2])
      assert.equal(world.queued(), [a1, a2, a3])
      wanted = '/a'
      world.dispatcher.onTurned(worker)
      assert.equal(channelOf(worker).log, [b1, b2, a1, a2, a3])
    },
  ),
)

test(
  'what a stuck loop has not claimed goes to one that turns free, before the queue; the rest of it is first in the queue',
  inWorld({ window: 4, routes: [['/*', 'web', leastBusy()]] }, (world) => {
    const [stuck, other] = [world.add(), world.add()]
    const [free, busy] = [channelOf(stuck), channelOf(other)]
    busy.load.busyMs = 5
    const [one] = world.acceptor.arrive('/1') as [number]
    // A policy that waits for a loop gives a busy one nothing more.
    const waiting = world.acceptor.arrive('/2', '/3', '/4')
    assert.equal([free.log, world.queued()], [[one], waiting])
    free.load.busyMs = 50
    world.look()
    assert.equal(busy.log, [], 'no loop is free')
    busy.load.busyMs = 0
    busy.onOffer = () => {
      busy.load.busyMs = 1
    }
    busy.turn()
    assert.equal([busy.log, free.outstanding, stuck.recalled], [[one], 0, 1])
    assert.equal(world.queued(), waiting)
  }),
)

test(
  'what was offered ahead to a loop that takes longer than usual stays, until another loop is to take one soon: then it goes there, before the queue',
  inWorld({ window: 9, routes: [['/*', 'web', leastBusy()]] }, (world) => {
    const late = world.add()
    const [channel, other] = [channelOf(late), channelOf(world.add())]
    channel.load.busyMs = other.load.busyMs = 1
    channel.load.nextInMs = 1
    const fds = world.acceptor.arrive('/1', '/2', '/3', '/4', '/5')
    const ahead = channel.log.length
    assert.ok(ahead > 0, 'something was offered ahead')
    assert.equal([...channel.log, ...world.queued()], fds)
    Object.assign(channel.load, { nextInMs: Number.POSITIVE_INFINITY, busyMs: 50, isOverdue: true })
    world.look()
    assert.equal([channel.outstanding, other.log], [ahead, []])
    other.load.nextInMs = 1
    world.look()
    assert.equal([channel.outstanding, late.recalled], [0, ahead])
    assert.equal(other.log.slice(0, ahead), fds.slice(0, ahead))
  }),
)

test(
  'of a worker that is gone what it had not claimed goes to another, and the rest of its window does not come back',
  inWorld({ window: 4, routes: [['/*', 'web', roundRobin()]] }, (world) => {
    const [lost, other] = [world.add(), world.add()]
    const fds = world.acceptor.arrive('/1', '/2', '/3', '/4', '/5', '/6')
    const mine = [...channelOf(lost).log]
    assert.is(mine.length, 3)
    channelOf(lost).claim(1)
    world.lose(lost)
    assert.equal(channelOf(other).log.slice(3), mine.slice(1, 2), 'its window has room for one more')
    assert.equal(world.queued(), mine.slice(2))
    channelOf(other).claim()
    world.look()
    assert.equal(
      channelOf(other).log.toSorted(),
      fds.filter((fd) => fd !== mine[0]),
    )
    assert.is(channelOf(other).unsent, 0)
  }),
)

test(
  'a client that has hung up while its connection was with a worker is not offered again',
  inWorld({ window: 1 }, (world) => {
    const lost = world.add()
    const [fd] = world.acceptor.arrive('/1') as [number]
    world.acceptor.hangUp(fd)
    world.lose(lost)
    assert.equal([world.acceptor.dropped, world.acceptor.refused], [[fd], []])
  }),
)

test(
  'what a worker gives back waits behind what is there, with its bytes',
  inWorld({ window: 1 }, (world) => {
    const channel = channelOf(world.add())
    const [served, ...fds] = world.acceptor.arrive('/1', '/2') as [number, number]
    channel.claim()
    world.look()
    assert.equal(channel.log, [served, ...fds])
    const waiting = world.acceptor.arrive('/3')
    const back = world.acceptor.fromWorker('/4')
    channel.giveBack(back)
    assert.equal([world.queued(), world.givenBack], [[...waiting, back.fd], 1])
    assert.is(world.pool().queue.remove(back.fd)?.arrival.carried, back.carried)
    world.acceptor.drop(back.fd)
  }),
)

test(
  'without a worker a connection is refused; while one starts it waits, and the clients of those that wait are watched',
  inWorld({}, (world) => {
    const [fd] = world.acceptor.arrive('/1') as [number]
    assert.equal(world.acceptor.refused, [{ fd, reason: 'no-worker' }])
    const worker = world.add('starting')
    const fds = world.acceptor.arrive('/2', '/3')
    assert.equal([...world.acceptor.watched], fds)
    world.acceptor.hangUp(fds[0] as number)
    worker.state = 'ready'
    world.changes.workerReady(worker)
    assert.equal([channelOf(worker).log, world.acceptor.dropped, [...world.acceptor.watched]], [[fds[1]], [fds[0]], []])
  }),
)

test(
  'one address that keeps the queue full is refused more, and another has its turn after one of those',
  inWorld({ window: 1, pools: { web: { queueLimit: 4 } } }, (world) => {
    const channel = channelOf(world.add())
    const greedy = Array.from({ length: 7 }, () => world.acceptor.arriveFrom('127.0.0.66'))
    assert.equal(
      world.acceptor.refused.map(({ fd, reason }) => `${fd} ${reason}`),
      greedy.slice(5).map((fd) => `${fd} queue-full`),
    )
    const other = world.acceptor.arriveFrom('127.0.0.77')
    assert.is(world.acceptor.refused.at(-1)?.fd, greedy[4])
    assert.equal(world.queued(), [greedy[1], other, greedy[2], greedy[3]])
    channel.onOffer = () => channel.claim()
    channel.claim()
    world.look()
    assert.equal(channel.log, [greedy[0], greedy[1], other, greedy[2], greedy[3]])
  }),
)

test(
  'a primary takes in many at once while every pool has a queue, and only then',
  inWorld(
    {
      window: 1,
      pools: { web: {}, api: {} },
      routes: [
        ['/a', 'api'],
        ['/*', 'web'],
      ],
    },
    (world) => {
      world.add('ready', 'web')
      world.add('ready', 'api')
      world.acceptor.arrive(...Array.from({ length: 9 }, () => '/b'))
      assert.is(world.acceptor.heldOff, 0)
      world.acceptor.arrive(...Array.from({ length: 9 }, () => '/a'))
      assert.is(world.acceptor.heldOff, 1)
    },
  ),
)

test(
  'what has waited for as long as it may is refused, and nothing is looked for when nothing waits',
  inWorld({ window: 1, pools: { web: { queueTimeoutMs: 0 } } }, (world) => {
    const channel = channelOf(world.add())
    const [first, second] = world.acceptor.arrive('/1', '/2') as [number, number]
    world.look()
    assert.equal(world.acceptor.refused, [{ fd: second, reason: 'queue-timeout' }])
    assert.not.ok(world.isQuiet, 'the first is not claimed')
    channel.claim()
    for (let look = 0; look < 3; look++) world.look()
    assert.equal(channel.log, [first])
    assert.ok(world.isQuiet, 'no timer is left')
  }),
)

test.run()
