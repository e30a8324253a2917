// Why a worker did not come up, from what it said.

import { assert, suite } from '../../../../test/suite.ts'
import { ExitReasons } from '../../src/supervisor/exit-reasons.ts'

const test = suite('last words')
const workerSlot = { pool: 'web', slot: 0 }

const said: [what: string, lines: string[], words: string][] = [
  ['nothing', [], ''],
  ['only how it ended', ['exit code 1'], 'exit code 1'],
  ['something, then how it ended', ['cannot bind', 'exit code 1'], 'cannot bind; exit code 1'],
  [
    'an error with its stack',
    ['file:///app.mjs:3', 'throw new TypeError()', 'TypeError: no database', '    at file:///app.mjs:3:7', 'Node.js v20', 'exit code 1'],
    'TypeError: no database; exit code 1',
  ],
  [
    'that its heap is full',
    ['<--- Last few GCs --->', 'FATAL ERROR: heap out of memory', '1: 0xb78db3 node::OOMErrorHandler', 'killed by SIGABRT'],
    'FATAL ERROR: heap out of memory; killed by SIGABRT',
  ],
]
for (const [what, lines, words] of said) {
  test(what, () => {
    const exitReasons = new ExitReasons()
    const worker = { ...workerSlot }
    for (const line of lines) exitReasons.add(worker, line)
    assert.is(exitReasons.of(worker), words)
  })
}

test('two processes of one seat have words of their own', () => {
  const exitReasons = new ExitReasons()
  const [old, next] = [{ ...workerSlot }, { ...workerSlot }]
  exitReasons.add(old, 'Error: somebody sent nonsense')
  exitReasons.add(next, 'exit code 3')
  assert.is(exitReasons.of(next), 'exit code 3')
})

test('a pool is asked for the words of those that did not come up, until one does', () => {
  const exitReasons = new ExitReasons()
  const worker = { ...workerSlot }
  exitReasons.add(worker, 'no licence')
  assert.is(exitReasons.sentenceFor('web'), 'it said nothing')
  exitReasons.didNotComeUp(worker)
  assert.is(exitReasons.sentenceFor('web'), 'no licence')
  assert.is(exitReasons.sentenceFor('api'), 'it said nothing')
  const next = { ...workerSlot }
  exitReasons.cameUp(next)
  assert.is(exitReasons.sentenceFor('web'), 'it said nothing')
})

test.run()
