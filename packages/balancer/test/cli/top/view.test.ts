// What each key of `balancer top` changes, and that nothing is done to a balancer without a clear yes.

import { assert, suite } from '../../../../../test/suite.ts'
import { History } from '../../../src/cli/top/history.ts'
import { type Key, keysOf } from '../../../src/cli/top/keys.ts'
import { rowsOf } from '../../../src/cli/top/rows.ts'
import { type Effect, FIRST_VIEW, onKey, selectedIndex, type View } from '../../../src/cli/top/view.ts'
import { counted, status } from './top-status.ts'

const test = suite('top view')
const history = new History()
const route = {
  inFlight: 0,
  results: { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, aborted: 0, upgrade: 0 },
  durations: { counts: [], sumMs: 0 },
}
const routes = [
  { route: '/a', pool: 'web', ...route },
  { route: '/of-an-earlier-config', pool: null, ...route },
]
history.record(status([counted(0), counted(1), counted(2)], { desired: 4, held: [3] }, { routes }), 0)

function press(input: string, from: View = FIRST_VIEW): { view: View; effects: Effect[] } {
  let view = from
  const effects: Effect[] = []
  for (const key of keysOf(input) as Key[]) {
    const step = onKey(view, key, rowsOf(history, view), () => 4)
    view = step.view
    if (step.effect !== undefined) effects.push(step.effect)
  }
  return { view, effects }
}

const selected = (view: View): number | undefined => selectedIndex(view, rowsOf(history, view))

test('cursor keys select a row, within the table', () => {
  assert.equal([selected(FIRST_VIEW), selected(press('jj').view), selected(press('\x1b[B\x1b[Bk').view)], [0, 2, 1])
  assert.equal([selected(press('\x1b[F').view), selected(press('\x1b[F\x1b[H').view), selected(press('k').view)], [3, 0, 0])
})

test('the selection stays with its worker while the order changes', () => {
  const { view } = press('jS')
  assert.equal([view.selected, selected(view)], ['web/1 1001', 2])
})

test('drain, restart, reload and scale ask first', () => {
  const asked: [string, string, object][] = [
    ['jd', 'drain', { pool: 'web', slot: 1 }],
    ['r', 'restart', { pool: 'web', slot: 0 }],
    ['\x1b[Fr', 'restart', { pool: 'web', slot: 3 }],
    ['R', 'reload', { pool: 'web' }],
    ['+', 'scale', { pool: 'web', by: 1 }],
    ['-', 'scale', { pool: 'web', by: -1 }],
  ]
  for (const [keys, name, body] of asked) {
    const { view, effects } = press(keys)
    assert.equal([view.mode, effects], ['confirm', []], keys)
    const [done] = press('y', view).effects as unknown as [{ name: string; body: object }]
    assert.equal([done.name, done.body], [name, body])
    for (const no of ['n', '\r', '\x1b', 'q', ' ', '\x1b[B'])
      assert.equal(press(no, view), { view: { ...view, mode: 'table', wanted: undefined }, effects: [] }, no)
  }
  assert.is(press('+').view.wanted?.what, 'Scale web from 4 to 5')
})

test('a pasted text does nothing', () => assert.equal(press(`dy${'y'.repeat(300)}`).effects, []))

test('filter: typed, corrected, kept or dropped', () => {
  assert.equal([press('/hx\x7feld\r').view.filter, press('/held\r').view.mode], ['held', 'table'])
  assert.equal(
    rowsOf(history, press('/held\r').view).map(({ name }) => name),
    ['web/3'],
  )
  assert.is(press('/held\x1b').view.filter, '')
  assert.is(press('/held\r\x1b').view.filter, '')
  // Keys are text here.
  assert.equal([press('/q').effects, press('/qdr').view.filter], [[], 'qdr'])
  assert.is(press('/nothing\rd').view.mode, 'table')
})

test('routes instead of workers: what is chosen for one table goes, and only their pools can be acted on', () => {
  const { view } = press('/web\rsst')
  assert.equal(
    [view.table, view.sort, view.filter, press('\t').view.table, press('tt').view.table],
    ['routes', 'name', '', 'routes', 'workers'],
  )
  assert.is(press('tsss').view.sort, 'wait')
  assert.equal([press('td').view.mode, press('tr').view.mode], ['table', 'table'])
  assert.equal(press('tRy').effects, [{ name: 'reload', body: { pool: 'web' }, what: 'Reload every worker of web' }])
  assert.is(press('tj+').view.mode, 'table')
})

test('sort, log pane, help, redraw, suspend and quit', () => {
  assert.equal([press('s').view.sort, press('ssssss').view.sort, press('S').view.isReversed], ['rate', 'name', true])
  assert.equal(
    [press('l').view.logSize, press('ll').view.logSize, press('lll').view.logSize, press('L').view.logsSelected],
    ['large', 'off', 'small', true],
  )
  assert.equal([press('?').view.mode, press('?x').view.mode, press('hq').effects], ['help', 'table', []])
  assert.equal(press('\x0c\x1aq').effects, ['redraw', 'suspend', 'quit'])
  for (const before of ['', '?', '/x', 'd']) assert.equal(press(`${before}\x03`).effects, ['quit'], before)
})

test.run()
