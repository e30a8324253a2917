// The moves that a steering balancer must have made.

import { assert, suite } from '../../test/suite.ts'
import { movesFault, movesOf } from '../src/moves.ts'

const test = suite('bench moves')
const none = { givenBack: 0, forwarded: 0 }
const before = { givenBack: 500, forwarded: 70 }
const every = { moves: { givenBack: 1, forwarded: 0 }, connections: 64 }

function after(givenBack: number, forwarded: number) {
  return { givenBack: before.givenBack + givenBack, forwarded: before.forwarded + forwarded }
}

test('every request moves except the first of each connection', () => {
  assert.is(movesFault(every, 10_000, before, after(10_000, 0)), undefined)
  assert.is(movesFault(every, 10_000, before, after(9_936, 0)), undefined)
})

test('a connection that stayed, or moved the other way, is a fault', () => {
  const stayed = movesFault(every, 10_000, before, after(5_000, 0))
  assert.is(stayed, 'of 10000 requests 5000 were given back where 10000 should have been')
  assert.is(movesFault(every, 10_000, before, after(10_000, 400)), 'of 10000 requests 400 were forwarded where 0 should have been')
  const half = { moves: { givenBack: 0, forwarded: 0.5 }, connections: 64 }
  assert.is(movesFault(half, 10_000, before, after(0, 5_000)), undefined)
  assert.is(movesFault(half, 10_000, before, after(5_000, 0)), 'of 10000 requests 5000 were given back where 0 should have been')
})

test('a scenario without routes expects no moves', () => {
  assert.is(movesFault({ connections: 64 }, 10_000, none, after(9, 9)), undefined)
})

test('a server without a status has no moves', async () => {
  assert.is(await movesOf({ pid: 1, port: 1, adminUrl: undefined, stop: async () => {} }), undefined)
})

test.run()
