// Why a worker did not come up, from the lines that it printed.

import { assert, suite } from '../../../../test/suite.ts'
import { ExitReasons } from '../../src/supervisor/exit-reasons.ts'

const test = suite('exit reasons')
const workerSlot = { pool: 'web', slot: 0 }

const outputs: [what: string, lines: string[], reason: string][] = [
  ['no output: no reason', [], ''],
  ['only the exit', ['exit code 1'], 'exit code 1'],
  ['a line, then the exit', ['cannot bind', 'exit code 1'], 'cannot bind; exit code 1'],
  [
    'an error with its stack: the error and the exit',
    ['file:///app.mjs:3', 'throw new TypeError()', 'TypeError: no database', '    at file:///app.mjs:3:7', 'Node.js v20', 'exit code 1'],
    'TypeError: no database; exit code 1',
  ],
  [
    'a full heap: the fatal error and the exit',
    ['<--- Last few GCs --->', 'FATAL ERROR: heap out of memory', '1: 0xb78db3 node::OOMErrorHandler', 'killed by SIGABRT'],
    'FATAL ERROR: heap out of memory; killed by SIGABRT',
  ],
]
for (const [what, lines, reason] of outputs) {
  test(what, () => {
    const exitReasons = new ExitReasons()
    const worker = { ...workerSlot }
    for (const line of lines) exitReasons.add(worker, line)
    assert.is(exitReasons.of(worker), reason)
  })
}

test('the output of two processes of one slot is kept apart', () => {
  const exitReasons = new ExitReasons()
  const [old, next] = [{ ...workerSlot }, { ...workerSlot }]
  exitReasons.add(old, 'Error: a client sent nonsense')
  exitReasons.add(next, 'exit code 3')
  assert.is(exitReasons.of(next), 'exit code 3')
})

test('the reason of a pool is that of a worker that did not come up, until one does', () => {
  const exitReasons = new ExitReasons()
  const worker = { ...workerSlot }
  exitReasons.add(worker, 'no licence')
  assert.is(exitReasons.ofPool('web'), 'its workers printed nothing')
  exitReasons.recordNeverReady(worker)
  assert.is(exitReasons.ofPool('web'), 'no licence')
  assert.is(exitReasons.ofPool('api'), 'its workers printed nothing')
  const next = { ...workerSlot }
  exitReasons.onReady(next)
  assert.is(exitReasons.ofPool('web'), 'its workers printed nothing')
})

test.run()
