// Connections that wait while a reload changes the routes: each goes to the pool that its route names now.

import { assert, suite } from '../../../../test/suite.ts'
import type { FakeChannel } from '../support/fake-link.ts'
import { channelOf, inWorld } from './dispatch-world.ts'

const test = suite('dispatcher, new routes')

test(
  'after a reload what waits goes to the pool that its route names now, in order, and waits there if it has to',
  inWorld({ window: 2, pools: { web: {}, api: {} } }, (world) => {
    const web = channelOf(world.add('ready', 'web'))
    const api = channelOf(world.add('ready', 'api'))
    const fds = world.acceptor.arrive('/1', '/2', '/3', '/4', '/5', '/6')
    assert.equal([web.log, world.queued()], [fds.slice(0, 2), fds.slice(2)])
    world.reroute([['/*', 'api']])
    assert.equal([api.log, world.queued('web'), world.queued('api')], [fds.slice(2, 4), [], fds.slice(4)])
    assert.is(api.unsent, 0)
    // A connection that moved to another queue is found when its client hangs up, and when the old pool ends.
    world.acceptor.hangUp(fds[4] as number)
    assert.equal(world.acceptor.dropped, [fds[4]])
    api.claim()
    world.look()
    assert.equal(api.log, [...fds.slice(2, 4), fds[5]])
    assert.equal([...world.acceptor.watched], [])
  }),
)

test(
  'after a reload two routes swap their pools, and what waits in both of them moves',
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
      const [web, api] = [world.add('ready', 'web'), world.add('ready', 'api')].map(channelOf) as [FakeChannel, FakeChannel]
      const fds = world.acceptor.arrive('/a', '/b', '/a', '/b', '/a', '/b') as [number, number, number, number, number, number]
      assert.equal([api.log, web.log], [[fds[0]], [fds[1]]])
      assert.equal(
        [world.queued('api'), world.queued('web')],
        [
          [fds[2], fds[4]],
          [fds[3], fds[5]],
        ],
      )
      world.reroute([
        ['/a', 'web'],
        ['/*', 'api'],
      ])
      assert.equal(
        [world.queued('web'), world.queued('api')],
        [
          [fds[2], fds[4]],
          [fds[3], fds[5]],
        ],
      )
      for (const channel of [web, api]) channel.onOffer = () => channel.claim()
      for (const channel of [web, api]) channel.claim()
      world.look()
      assert.equal(
        [web.log, api.log],
        [
          [fds[1], fds[2], fds[4]],
          [fds[0], fds[3], fds[5]],
        ],
      )
    },
  ),
)

test(
  'what waited for a pool that no route names any more is routed again',
  inWorld({ window: 1, pools: { web: {}, api: {} }, routes: [['/*', 'web']] }, (world) => {
    world.add('starting', 'web')
    const fds = world.acceptor.arrive('/1', '/2')
    const api = channelOf(world.add('ready', 'api'))
    const taken = world.pool('web').queue.removeAll()
    world.reroute([['/*', 'api']])
    world.changes.placeAgain(taken)
    assert.equal([api.log, world.queued('api')], [[fds[0]], [fds[1]]])
  }),
)

test.run()
