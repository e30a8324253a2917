// The work that the measured app does.

import { assert, suite } from '../../test/suite.ts'
import { work } from '../apps/occupy.js'

const test = suite('bench occupy')

function ask(target: string): { readonly begunAt: () => number | undefined; readonly done: Promise<number> } {
  let begunAt: number | undefined
  const done = new Promise<number>((resolve) => {
    work(
      target,
      () => {
        begunAt = performance.now()
      },
      () => resolve(performance.now()),
    )
  })
  return { begunAt: () => begunAt, done }
}

test('the work occupies the loop for the requested time', async () => {
  const startedAt = performance.now()
  const { done } = ask('/work?ms=30')
  // The call was synchronous.
  assert.ok(performance.now() - startedAt >= 29)
  assert.ok((await done) - startedAt >= 29)
})

test('timers occupy no worker and run side by side', async () => {
  const startedAt = performance.now()
  const asked = Array.from({ length: 20 }, () => ask('/work?timer=600&ms=1'))
  assert.ok(performance.now() - startedAt < 600, 'the loop was occupied')
  for (const { done } of asked) {
    const tookMs = (await done) - startedAt
    assert.ok(tookMs >= 600 && tookMs < 20 * 600, `${tookMs} ms`)
  }
})

test('after an I/O operation the work starts in its callback, and announces that just before', async () => {
  const { begunAt, done } = ask('/work?after=io&ms=30&tell')
  assert.is(begunAt(), undefined)
  const endedAt = await done
  assert.ok(endedAt - (begunAt() ?? Number.NaN) >= 29)
  const silent = ask('/work?ms=1')
  await silent.done
  assert.is(silent.begunAt(), undefined)
})

test.run()
