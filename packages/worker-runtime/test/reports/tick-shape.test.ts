// A tick of process.nextTick that is kept alive keeps the shape of later ticks.

import asyncHooks from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { assert, suite } from '../../../../test/suite.ts'
import { keepTickShape } from '../../src/reports/tick-shape.ts'

const test = suite('tick shape')
const { executionAsyncResource } = asyncHooks

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** The tick in which `plan` reads executionAsyncResource(). */
async function tickOf(plan: () => void): Promise<WeakRef<object>> {
  let seen: WeakRef<object> | undefined
  asyncHooks.executionAsyncResource = () => {
    const resource = executionAsyncResource()
    seen ??= new WeakRef(resource)
    return resource
  }
  syncBuiltinESMExports()
  try {
    plan()
    await turn()
  } finally {
    asyncHooks.executionAsyncResource = executionAsyncResource
    syncBuiltinESMExports()
  }
  assert.ok(seen)
  return seen as WeakRef<object>
}

async function collected(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await turn()
    collect()
  }
}

test('a tick is collected when it is over', async () => {
  const tick = await tickOf(() => process.nextTick(() => void asyncHooks.executionAsyncResource()))
  await collected()
  assert.is(tick.deref(), undefined)
})

test('a kept tick is not collected, and later ticks have its shape', async () => {
  const tick = await tickOf(keepTickShape)
  await collected()
  const kept = tick.deref()
  assert.ok(kept)
  const later = await new Promise<object>((resolve) => process.nextTick(() => resolve(executionAsyncResource())))
  setFlagsFromString('--allow-natives-syntax')
  assert.ok(new Function('one', 'other', 'return %HaveSameMap(one, other)')(kept, later))
})

test.run()
