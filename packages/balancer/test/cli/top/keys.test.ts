// Which keys a piece of terminal input means.

import { assert, suite } from '../../../../../test/suite.ts'
import { keysOf } from '../../../src/cli/top/keys.ts'

const test = suite('top keys')

test('characters, control characters and cursor keys, also in one piece', () => {
  assert.equal(keysOf('q'), [{ character: 'q' }])
  assert.equal(keysOf('\x1b[A\x1b[B\x1bOA\x1b[5~\x1b[6~\x1b[H\x1b[F'), ['up', 'down', 'up', 'page-up', 'page-down', 'home', 'end'])
  assert.equal(keysOf('\r\t\x7f\x03\x1a\x0c'), ['enter', 'tab', 'backspace', 'interrupt', 'suspend', 'redraw'])
  assert.equal(keysOf('/é\x1b'), [{ character: '/' }, { character: 'é' }, 'escape'])
})

test('unknown sequences, other control characters and pastes mean nothing', () => {
  assert.equal(keysOf('\x1b[1;5A\x1b[200~\x1b[15~\x01'), [])
  assert.equal(keysOf('d'.repeat(300)), [])
})

test.run()
