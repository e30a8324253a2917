// The check of Node's version, and that the command refuses the same versions.

import { readFileSync } from 'node:fs'
import { assert, suite } from '../../../../test/suite.ts'
import type { CheckState } from '../../src/doctor/check.ts'
import { checkNode, LEAST_NODE } from '../../src/doctor/node-check.ts'
import { errorCodes } from '../../src/errors.ts'

const test = suite('node check')
const NOW = Date.parse('2026-11-30')

const table: [version: string, state: CheckState, found: RegExp, advice?: RegExp][] = [
  ['18.20.8', 'fault', /^Node 18\.20\.8 is too old: the balancer needs 20\.19\.2/, /^Install Node 24 or 22/],
  ['20.9.0', 'fault', /too old/, /24 or 22/],
  ['20.19.1', 'fault', /too old/, /24 or 22/],
  ['20.19.2', 'warning', /Node 20 is out of support since 2026-04-30/, /24 or 22/],
  ['20.20.2', 'warning', /Node 20 is out of support since 2026-04-30/, /24 or 22/],
  ['21.7.3', 'warning', /Node 21 is out of support and gets no security fixes/, /24 or 22/],
  ['22.9.0', 'warning', /lacks the security fixes of 22\.23\.4 \(2026-10-21\)/, /^Install Node 22\.23\.4 or newer/],
  ['22.23.4', 'ok', /^Node 22\.23\.4$/],
  ['22.100.0', 'ok', /./],
  ['24.3.0', 'warning', /lacks/, /24\.22\.1/],
  ['24.22.1', 'ok', /./],
  ['25.9.0', 'warning', /Node 25 is out of support/, /24 or 22/],
  ['26.12.0', 'warning', /lacks/, /26\.12\.1/],
  ['28.0.0-nightly', 'ok', /newer than this balancer/],
]

for (const [version, state, found, advice] of table) {
  test(`Node ${version}`, () => {
    const check = checkNode(version, NOW)
    assert.is(check.state, state)
    assert.match(check.found, found)
    if (advice === undefined) assert.is(check.advice, undefined)
    else assert.match(check.advice ?? '', advice)
  })
}

test('a line goes out of support on its day', () => {
  assert.is(checkNode('22.99.0', Date.parse('2027-04-30T12:00:00Z')).state, 'ok')
  assert.is(checkNode('22.99.0', Date.parse('2027-05-01T12:00:00Z')).state, 'warning')
})

test('package.json, the command and the check name the same version', () => {
  const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
  const command = read('bin/balancer.js')
  assert.is(JSON.parse(read('package.json')).engines.node, `>=${LEAST_NODE}`)
  assert.ok(command.includes(`const LEAST_NODE = [${LEAST_NODE.replaceAll('.', ', ')}]`))
  assert.ok(command.includes(`const TOO_OLD = ${errorCodes.ERR_NODE_VERSION.exitCode}\n`))
})

test.run()
