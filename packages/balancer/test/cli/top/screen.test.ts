// The screen of `balancer top`, at sizes from tiny to wide: it never has more lines or columns than the terminal.

import { assert, suite } from '../../../../../test/suite.ts'
import { History } from '../../../src/cli/top/history.ts'
import { rowsOf } from '../../../src/cli/top/rows.ts'
import { type ScreenOptions, screen } from '../../../src/cli/top/screen.ts'
import { lineText } from '../../../src/cli/top/segments.ts'
import { FIRST_VIEW, type View } from '../../../src/cli/top/view.ts'
import type { LogEntry } from '../../../src/control/control-protocol.ts'
import type { RouteStatus } from '../../../src/status.ts'
import { counted, status } from './top-status.ts'

const test = suite('top screen')

const ROUTES = ['/reports/*', '/a/path/that/is/much/longer/than/the/column/*', '(everything else)']

function routeOf(route: string, sample: number): RouteStatus {
  const results = { '2xx': sample * 20, '3xx': 0, '4xx': 0, '5xx': sample * 2, aborted: 0, upgrade: 0 }
  return { route, pool: 'web', inFlight: 1, results, durations: { counts: [0, 0, 0, sample * 22], sumMs: 0 } }
}

function history(workers = 3): History {
  const found = new History()
  const all = (count: number) =>
    Array.from({ length: workers }, (_, slot) => counted(slot, { quick: count * (slot + 1), utilisation: 0.4, inFlight: slot }))
  for (let sample = 0; sample < 12; sample++)
    found.record(status(all(sample * sample), {}, { routes: ROUTES.map((route) => routeOf(route, sample)) }), sample * 1_000)
  return found
}

const entry = (msg: string, changes: Partial<LogEntry> = {}): LogEntry => ({ time: 0, level: 30, msg, ...changes })

function shown(changes: Partial<ScreenOptions> = {}, viewChanges: Partial<View> = {}, colour = false): string[] {
  const of = changes.history ?? history()
  const view = { ...FIRST_VIEW, ...viewChanges }
  const size = { width: 80, height: 24 }
  const fixed = { message: undefined, lost: undefined, isUtf8: true, clock: '15:04:05', logs: [] }
  const options = { ...fixed, ...size, history: of, rows: rowsOf(of, view), view, ...changes }
  return screen(options).map((line) => lineText(line, options.width, colour))
}

test('80 x 24', () => {
  const lines = shown({ logs: [entry('listening'), entry('hello', { pool: 'web', slot: 1, stream: 'stdout' })] })
  assert.is(lines.length, 24)
  assert.is(lines[0], `shop  pid 42  up 1 min 5 s  version 1.2.3  http://127.0.0.1:3000        15:04:05`)
  assert.is(lines[1], 'Healthy: all 3 workers are ready.')
  assert.match(lines[2] as string, /^req\/s 126 {2}▁▂▂▃▄▅▅▆▇██ {2}p99 9\.9 ms {2}█{11} {2}waiting 0 {2}refused\/s 0\.0$/)
  assert.match(lines[4] as string, /^v WORKER STATE +REQ\/S +P99 +LOOP +QUEUE +MEMORY$/)
  assert.match(lines[5] as string, /^> web\/0 {2}ready +21\.0 ▂▂▂▃▃▃ 9\.9 ms █{6} {2}40 % ▄{6} {5}0 ▁{6} {3}85 MiB$/)
  assert.match(lines.join('\n'), /-- log\n\[..:..:..\] INFO: listening\nweb\/1 \| hello\n/)
  assert.is(lines.at(-1), 'd drain, r restart, R reload, +/- scale, s sort, t routes, l log, ? help, q quit')
})

test('routes at 80 x 24', () => {
  const lines = shown({}, { table: 'routes' })
  assert.match(lines[4] as string, /^v ROUTE +POOL +REQ\/S +P99 +WAIT +QUEUE +FAIL\/S$/)
  assert.match(lines[5] as string, /^> \/reports\/\* +web +22\.0 █+ 9\.9 ms █+ +- +1 +2\.0$/)
  assert.match(lines[6] as string, /^ {2}\/a\/path\/that\/is\/muc… web /)
  assert.match(lines.at(-1) as string, /t workers/)
})

test('every size has its number of lines and columns', () => {
  const of = history(40)
  const logs = Array.from({ length: 100 }, (_, line) => entry(`line ${line} ${'x'.repeat(300)}`))
  for (const width of [1, 39, 40, 60, 80, 99, 100, 140, 300])
    for (const height of [1, 7, 8, 9, 12, 24, 60])
      for (const view of [
        {},
        { table: 'routes' },
        { mode: 'help' },
        { mode: 'filter' },
        { logSize: 'off' },
        { logSize: 'large' },
      ] as Partial<View>[]) {
        const lines = shown({ history: of, logs, width, height }, view)
        assert.is(lines.length, height, `${width} x ${height}`)
        assert.ok(lines.every((line) => [...line].length <= width))
      }
})

test('the selected row is in sight, however many there are', () => {
  const of = history(40)
  for (const index of [0, 17, 39]) {
    const found = shown({ history: of }, { index }).filter((line) => line.startsWith('> '))
    assert.match(found.join(), new RegExp(`^> web/${index} `))
  }
})

test('what is unhealthy is named with its reason, and a balancer that does not answer', () => {
  const of = history()
  of.record(status([counted(0), counted(1)], { desired: 3, ready: 2, broken: [2] }), 20_000)
  assert.match(shown({ history: of })[1] as string, /^FAILING: web\/2 has failed too often and is not started again/)
  assert.match(shown({ history: of }).join('\n'), /\n {2}web\/2 {2}broken +- +- +- +- +-\n/)
  const lost = { reason: 'No balancer answers.', forMs: 3_200 }
  assert.is(shown({ history: of, lost })[1], 'NO ANSWER for 3 s, and these values are old: No balancer answers.')
})

test('the last line asks, tells the result, or takes the filter', () => {
  const wanted = { name: 'drain', body: { slot: 0 }, what: 'Drain web/0' } as const
  assert.is(shown({}, { mode: 'confirm', wanted }).at(-1), 'Drain web/0? y/n')
  assert.is(shown({ message: { text: 'web/0 is\nout', style: 'good' } }).at(-1), 'web/0 is out')
  assert.match(shown({}, { mode: 'filter', filter: 'dra' }).at(-1) as string, /^filter: dra_/)
})

test('log lines of one worker only, and none that acts on the terminal', () => {
  const logs = [
    entry('of all'),
    entry('mine\x1b[2J\ttab', { pool: 'web', slot: 0, stream: 'stdout' }),
    entry('other', { pool: 'web', slot: 1, stream: 'stdout' }),
  ]
  const text = shown({ logs }, { logsSelected: true }).join('\n')
  assert.match(text, /-- log of web\/0\n?/)
  assert.ok(text.includes('web/0 | mine\\x1b[2J  tab') && !text.includes('other') && !text.includes('\x1b'))
})

test('colours only where they are wanted', () => {
  assert.ok(shown({}, {}, true).join('').includes('\x1b[32mready'))
  assert.not.ok(shown({}, {}, false).join('').includes('\x1b'))
})

test.run()
