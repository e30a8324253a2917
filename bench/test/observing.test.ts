// The contenders of `observing`, and that what should observe them does.

import { assert, suite } from '../../test/suite.ts'
import { OBSERVED, observingContenders, UNOBSERVED } from '../src/contenders.ts'
import { startObserved } from '../src/observed.ts'
import { type ObserverName, observers } from '../src/observers.ts'
import { readOptions } from '../src/options.ts'
import { observingTargets, plainScenarios } from '../src/scenarios.ts'

const test = suite('bench observing', { timeoutMs: 60_000 })

test('the plain scenarios, with targets for everything over nothing', async () => {
  const { mode, rounds, scenarios, contenders } = await readOptions(['--observing'])
  assert.equal([mode, rounds], ['observing', 5])
  assert.is(contenders, observingContenders)
  assert.equal(
    scenarios.map(({ name }) => name),
    plainScenarios,
  )
  for (const { contender, against } of observingTargets) assert.equal([contender, against], [OBSERVED, UNOBSERVED])
})

test('everything is on', async () => {
  const contender = observingContenders.find(({ name }) => name === OBSERVED)
  assert.ok(contender !== undefined)
  const server = await startObserved({ ...contender, observers: Object.keys(observers) as ObserverName[] })
  try {
    assert.is(await (await fetch(`http://127.0.0.1:${server.port}/`)).text(), 'Hello world\n')
    const status = (await (await fetch(`${server.adminUrl}/status`)).json()) as { accessLog: unknown }
    assert.not.equal(status.accessLog, null)
  } finally {
    // Rejects if an observer has ended.
    await server.stop()
  }
})

test.run()
