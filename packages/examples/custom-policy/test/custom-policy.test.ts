// A policy of the example's own pins tenants to slots.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { ask, askAtOnce, distinct, type RunningExample, runCommand, startExample } from '../../test-support/start.ts'

const test = suite('example custom-policy', { timeoutMs: 20_000 })
let example: RunningExample

test.before(async () => {
  example = await startExample('custom-policy', { workers: 4 })
})
test.after(() => example.stop())

async function slotsOf(tenant: string | undefined): Promise<number[]> {
  const answers = await askAtOnce(example, 20, '/', { headers: tenant === undefined ? {} : { 'x-tenant': tenant } })
  assert.ok(answers.every(({ status, json }) => status === 200 && json.tenant === (tenant ?? null)))
  return distinct(answers.map(({ json }) => json.slot as number)).sort()
}

test('a tenant with two slots has both and no other', async () => assert.equal(await slotsOf('acme'), [0, 1]))
test('a tenant with one slot has that one', async () => assert.equal(await slotsOf('globex'), [2]))
test('a tenant without a contract gets the rest', async () => assert.equal(await slotsOf('umbrella'), [3]))
test('so does a request that names no tenant', async () => assert.equal(await slotsOf(undefined), [3]))

test('when the worker of a tenant is killed others answer, and its replacement has the tenant back', async () => {
  const asGlobex = { headers: { 'x-tenant': 'globex' } }
  const { pid } = (await ask(example, '/', asGlobex)).json
  process.kill(pid, 'SIGKILL')
  const meanwhile: number[] = []
  const back = await until(async () => {
    const { status, json } = await ask(example, '/', asGlobex)
    assert.is(status, 200)
    if (json.slot !== 2) meanwhile.push(json.slot)
    return json.slot === 2 && json.pid !== pid ? json : undefined
  }, 10_000)
  assert.is(back.slot, 2)
  assert.equal(distinct(meanwhile), [3], 'the rest answered until then')
})

test('explain names the policy and the worker that it chooses', async () => {
  const told = await runCommand('custom-policy', ['explain', 'GET', '/', '-H', 'X-Tenant: globex'])
  assert.match(told, /policy +byTenant/)
  assert.match(told, /choice +slot 2/)
})

test.run()
