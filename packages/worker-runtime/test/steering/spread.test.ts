// Which streams are spread: those of paths whose requests keep the loop busy, measured by the turns of the loop.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { InFlight } from '../../src/server/requests/in-flight.ts'
import { Spread } from '../../src/steering/spread.ts'

const test = suite('spread')
const start = {
  ...{
    listener: 1,
    maxConcurrentStreams: 1,
    maxHeaderListBytes: 1,
    windowBytes: 1,
    maxResetsPerMinute: 1,
    maxResetsAtOnce: 1,
    maxIdleConnections: 1,
    maxControlBytesPerSecond: 1,
  },
  ...{ idleTimeoutMs: 1, sendTimeoutMs: 1, spread: true },
}

function made(count = 0): Spread {
  const inFlight = { count, ended: 0 } as unknown as InFlight
  return Spread.of([start], [], inFlight) as Spread
}

/** One request that blocks the loop for so long, and the end of its turn. */
async function serve(spread: Spread, target: string, ms: number): Promise<void> {
  spread.record(target)
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

test('nothing asks for it', () => {
  assert.is(Spread.of([{ ...start, spread: false }], [{}, { spread: false }], new InFlight()), undefined)
  assert.is(Spread.of(undefined, [{ spread: true }], new InFlight()), undefined)
  assert.is(Spread.of([], [{ spread: true }], new InFlight()), undefined)
})

test('a listener asks for it, or a route', () => {
  assert.instance(Spread.of([{ ...start, spread: false }], [{}, { spread: true }], new InFlight()), Spread)
  assert.instance(Spread.of([start], [{ spread: false }], new InFlight()), Spread)
})

test('of a new path the first request stays, and those that come meanwhile do not', () => {
  assert.is(made(0).wants('/new'), false)
  assert.is(made(1).wants('/new'), true)
  const spread = made(0)
  spread.record('/new')
  assert.is(spread.wants('/new?other'), true, 'in the same turn')
})

test('a path whose requests block is spread from the next turn on, another one is not', async () => {
  const spread = made()
  await serve(spread, '/heavy', 20)
  assert.is(spread.wants('/heavy?a=b'), true)
  await until(async () => {
    await serve(spread, '/light', 0)
    return !spread.wants('/light')
  })
  assert.is(spread.wants('/heavy'), true)
})

test('a path that has become light is left alone after some turns', async () => {
  const spread = made()
  await serve(spread, '/report', 20)
  assert.is(spread.wants('/report'), true)
  await until(async () => {
    await serve(spread, '/report', 0)
    return !spread.wants('/report')
  })
})

test('paths without number do not fill the memory', async () => {
  const spread = made(1)
  for (let index = 0; index < 2000; index++) spread.record(`/path/${index}`)
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  assert.is(spread.wants('/one/more'), false)
})

test.run()
