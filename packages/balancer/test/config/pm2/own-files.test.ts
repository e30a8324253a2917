// Twenty files for PM2 that use every option: what becomes of each. No option that is written is without a word.

import { assert, suite } from '../../../../../test/suite.ts'
import { readOptions } from '../../../src/config/pm2/option-names.ts'
import { imported } from './imported.ts'
import { ownFiles } from './own-files.ts'
import { DOCUMENTED_OPTIONS, SCHEMA_OPTIONS } from './schema-options.ts'

const test = suite('own files for PM2', { timeoutMs: 20_000 })

for (const { title, apps, files: more = {}, env, only, config, missing = [], differs = [], notNeeded = [] } of ownFiles) {
  test(title, async () => {
    const found = await imported(`module.exports = ${JSON.stringify({ apps })}`, { env, only }, 'ecosystem.config.js', more)
    assert.equal(found.config, config)
    assert.equal(
      [found.of('missing').sort(), found.of('differs').sort(), found.of('not needed').sort()],
      [[...missing].sort(), [...differs].sort(), [...notNeeded].sort()],
    )
    const said = found.findings.map(({ option }) => option)
    const written = apps
      .filter(({ name }) => only?.includes(name as string) !== false)
      .filter(({ name }) => !found.leftOut.includes(name as string))
    for (const option of written.flatMap((one) => Object.keys(one).filter((key) => one[key] !== null)))
      assert.ok(said.includes(option), `nothing is said of ${option}`)
    for (const { state, note } of found.findings) if (state !== 'same') assert.type(note, 'string')
  })
}

test('there are twenty files, and together they use every option', () => {
  assert.is(ownFiles.length, 20)
  const used = new Set(ownFiles.flatMap(({ apps }) => apps.flatMap((one) => [...readOptions(one).options.keys()])))
  assert.equal(
    [...SCHEMA_OPTIONS, ...DOCUMENTED_OPTIONS].filter((option) => !used.has(option)),
    [],
  )
})

test.run()
