// The scenarios with pools, in a very short form. The bench itself checks that the right pool answers every request, and that requests move
// as they should.

import { assert, suite } from '../../test/suite.ts'
import { contenders, entrants } from '../src/contenders.ts'
import { loads } from '../src/loads.ts'
import type { Row } from '../src/report.ts'
import { scenarios } from '../src/scenarios.ts'
import { dataOf, measured, start } from './run.ts'

const test = suite('bench steered', { timeoutMs: 90_000 })
const steered = scenarios.filter(({ moves }) => moves !== undefined)

for (const load of loads) {
  test(`${load.name}: every request finds its worker while it is measured`, async () => {
    if (load.version() === undefined) return console.log(`${load.name} is not installed`)
    const able = steered.filter((scenario) => load.can(scenario))
    const only = able.flatMap(({ name }) => ['--only', name])
    const run = await measured((...turns) => start('--json', '--no-trial', '--load', load.name, ...only, ...turns))
    const { rows } = await dataOf<{ rows: Row[] }>(run)
    assert.equal(
      rows.map(({ scenario, contender }) => `${scenario} ${contender}`).sort(),
      able.flatMap((scenario) => entrants(contenders, scenario).map(({ name }) => `${scenario.name} ${name}`)).sort(),
    )
  })
}

test('a scenario that a load cannot send is left out, in one line', async () => {
  const run = start('--load', 'autocannon', '--only', 'forwarded-post')
  assert.is((await run.ended).code, 1)
  assert.match(run.output(), "autocannon can't ask what 'forwarded-post' asks: left out\n")
  assert.match(run.output(), 'bench: there was nothing to measure')
})

test.run()
