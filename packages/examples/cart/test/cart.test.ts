// Several requests of one visitor change one session at the same time.

import { assert, suite } from '../../../../test/suite.ts'
import { distinct, type RunningExample, startExample } from '../../test-support/start.ts'
import { Visitor } from '../../test-support/visitor.ts'

const AT_ONCE = 200

const test = suite('example cart', { timeoutMs: 30_000 })
let example: RunningExample

test.before(async () => {
  example = await startExample('cart', { workers: 4 })
})
test.after(() => example.stop())

/** How many of the items added at once are in the cart. */
async function kept(path: string): Promise<number> {
  const visitor = new Visitor(example)
  await visitor.post('/empty')
  const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => visitor.post(`${path}?item=lamp`)))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.is(distinct(answers.map(({ json }) => json.pid)).length, 4)
  return (await visitor.get('/')).json.items.lamp
}

test('with update, everything is in the cart', async () => assert.is(await kept('/update'), AT_ONCE))

test('with get and set, some of it is lost', async () => {
  const count = await kept('/replace')
  console.log(`get and set: ${count} of ${AT_ONCE} are in the cart`)
  assert.ok(count >= 1 && count < AT_ONCE, `${count} of ${AT_ONCE}`)
})

test('different things, put into it at once, are all there', async () => {
  const visitor = new Visitor(example)
  await visitor.post('/empty')
  const items = Array.from({ length: 40 }, (_, index) => `item ${index}`)
  await Promise.all(items.map((item) => visitor.post(`/update?item=${encodeURIComponent(item)}`)))
  assert.equal(Object.keys((await visitor.get('/')).json.items).sort(), [...items].sort())
})

test.run()
