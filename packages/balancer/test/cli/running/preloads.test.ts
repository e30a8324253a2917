// The notice about modules that NODE_OPTIONS loads in the primary.

import { assert, suite } from '../../../../../test/suite.ts'
import { preloadNotice } from '../../../src/cli/running/preloads.ts'

const test = suite('preloads')

const PRELOADED: readonly [options: string, modules: string][] = [
  ['--require dd-trace/init', 'dd-trace/init'],
  ['--import=./instrument.mjs --max-old-space-size=512', './instrument.mjs'],
  ['-r newrelic --import "file:///a b/x.mjs"', 'newrelic and file:///a b/x.mjs'],
]

for (const [options, modules] of PRELOADED)
  test(`${options} is named`, () =>
    assert.match(preloadNotice({ NODE_OPTIONS: options }) ?? '', `NODE_OPTIONS loads ${modules} in the primary too`))

test('other options are not', () => {
  for (const env of [{}, { NODE_OPTIONS: '' }, { NODE_OPTIONS: '--trace-gc --important --requires x' }])
    assert.is(preloadNotice(env), undefined)
})

test.run()
