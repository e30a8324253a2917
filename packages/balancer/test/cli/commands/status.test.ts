// `balancer status`: what is unhealthy comes first, and everything fits the width of the terminal.

import { assert, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { describeStatus } from '../../../src/cli/commands/show-status.ts'
import { fittedTable, wrapped } from '../../../src/cli/fitted-table.ts'
import { main } from '../../../src/cli/main.ts'
import type { BalancerStatus } from '../../../src/status.ts'
import { healthSentence, troublesOf } from '../../../src/troubles.ts'
import { fakeIo } from '../../support/fake-balancer.ts'
import { jsonLines, running } from '../started-command.ts'
import { counted, status } from '../top/top-status.ts'

const test = suite('status command', { timeoutMs: 20_000 })

test('a healthy balancer in one sentence', () => {
  assert.equal(troublesOf(status([counted(0), counted(1)])), [])
  assert.is(healthSentence(status([counted(0), counted(1)])), 'Healthy: all 2 workers are ready.')
  assert.is(healthSentence(status([counted(0)])), 'Healthy: the worker is ready.')
})

test('troubles, the worst first, each with its reason', () => {
  const blocked = { ...counted(0).load, busyMs: 4_000 }
  const lists = { held: [3], broken: [4], ready: 4 }
  const bad = status(
    [counted(0, { load: blocked }), counted(1, { ejected: true }), counted(2, { retiring: 'memory' }), counted(5, { silentMs: 5_000 })],
    { desired: 6, ...lists, queue: { length: 5, waits: { counts: [], sumMs: 0 } } },
    { accepting: false, log: { written: 0, dropped: 3, failure: 'ENOSPC' } },
  )
  assert.equal(
    troublesOf(bad).map(({ severity, subject, reason }) => `${severity}: ${subject} ${reason.slice(0, 40)}`),
    [
      'down: the balancer accepts no connections now.',
      'failing: web/4 has failed too often and is not started ',
      'failing: web/0 has an event loop that is blocked for 4 ',
      'failing: web/1 gets no connections for a while, because',
      'failing: web/5 does not answer: its event loop has not ',
      "failing: the log can't be written: ENOSPC.",
      'watch: web has 5 connections waiting for a worker.',
      "watch: web/3 was taken out of service: 'balancer rest",
      'watch: web/2 will be replaced: memory.',
    ],
  )
  assert.is(healthSentence(bad), 'DOWN: the balancer accepts no connections now. And 5 more.')
  const text = describeStatus(bad)
  assert.ok(text.indexOf('!! the balancer') < text.indexOf('! web/0') && text.indexOf('! web/0') < text.indexOf('POOL'), text)
})

test('missing workers, and what is under way', () => {
  const reasonsOf = (...args: Parameters<typeof status>): string[] =>
    troublesOf(status(...args)).map(({ severity, subject, reason }) => `${severity}: ${subject} ${reason}`)
  assert.equal(reasonsOf([counted(0)], { desired: 3 }), ['failing: web has 1 of 3 workers ready.'])
  const starting = counted(1, { state: 'starting', silentMs: 9_000, load: { ...counted(1).load, busyMs: 3_000 } })
  assert.equal(reasonsOf([counted(0), starting], { desired: 2, ready: 1 }), ['watch: web has 1 of 2 workers ready, and one starts.'])
  const draining = [counted(1, { state: 'draining', drainLeftMs: 9_000 }), counted(2, { state: 'draining', drainLeftMs: 12_000 })]
  assert.equal(reasonsOf([counted(0), ...draining], { desired: 1, ready: 1 }), ['watch: web drains 2 workers, for at most 12 s more.'])
  assert.equal(reasonsOf([counted(0), ...draining], { desired: 3, ready: 1, reloading: true }), ['watch: web is being reloaded.'])
  assert.is(healthSentence(status([counted(0)], { desired: 2, held: [1] })), 'Healthy: 1 of 2 workers are ready.')
})

test('an answer of an older balancer has no new fields', () => {
  const { silentMs: _, ...old } = counted(0)
  assert.equal(troublesOf({ accepting: true, pools: [{ name: 'web', ready: 1, desired: 1, workers: [old] }] }), [])
})

test('a pool without a worker, and one that has had none for a while', () => {
  const [none] = troublesOf(status([], { desired: 2, ready: 0 }))
  assert.equal(none, { severity: 'down', subject: 'web', reason: 'has no ready worker.' })
  const [outage] = troublesOf(status([], { desired: 2, ready: 0, outageMs: 61_000 }))
  assert.match(outage?.reason as string, /^has had no worker for 1 min 1 s\./)
})

test('every width: no line is longer than the terminal, and the reasons are whole', () => {
  const workers = Array.from({ length: 3 }, (_, slot) =>
    counted(slot, { first: slot === 0, inStateMs: 7_260_000, retiring: 'the limit of its memory' }),
  )
  const found = status(workers, { desired: 4, broken: [3] })
  for (const width of [40, 60, 80, 120]) {
    const lines = describeStatus(found, width).split('\n')
    assert.ok(Math.max(...lines.map((line) => line.length)) <= width, lines.join('\n'))
    assert.match(lines.join(' ').replace(/ +/g, ' '), /'balancer restart web\/3' starts it\./)
  }
  assert.match(describeStatus(found, 80), /WORKER {2}STATE .*LOOP .*\nweb\/0/)
})

test('less important columns go first, and the last one is cut', () => {
  const rows = [
    ['A', 'B', 'C', ''],
    ['aaaa', 'bbbb', 'cccc', 'a long remark about it'],
  ]
  const fit = (width: number | undefined) => fittedTable(rows, { width, dispensable: ['B', 'C'] }).split('\n')[1]
  assert.equal(
    [fit(undefined), fit(30), fit(26), fit(18)],
    ['aaaa  bbbb  cccc  a long remark about it', 'aaaa  bbbb  cccc  a long rema…', 'aaaa  cccc  a long remark…', 'aaaa  a long rema…'],
  )
  assert.is(wrapped('one two three', 8, '  '), 'one two\n  three')
})

test('--watch prints again, on a pipe and as JSON, until the balancer is gone', async () => {
  const { folder, balancer, end } = await running()
  const plain = fakeIo(folder)
  const json = fakeIo(folder)
  const codes = Promise.all([main(['status', '--watch', '0.2'], plain), main(['status', '--watch=0.2', '--json'], json)])
  await until(() => plain.stdout.text.split('listens on').length > 3)
  balancer.changes = { accepting: false } satisfies Partial<BalancerStatus>
  await until(() => plain.stdout.text.includes('!! the balancer accepts no connections now.'))
  await until(() => jsonLines(json.stdout.text).length > 3)
  await end()
  assert.equal(await codes, [8, 8])
  assert.not.ok(plain.stdout.text.includes('\x1b'))
})

test('--watch on a terminal draws over the last status', async () => {
  const { folder, end } = await running()
  const io = fakeIo(folder)
  Object.assign(io.stdout, { isTTY: true, columns: 80, rows: 8 })
  const code = main(['status', '-w', '0.2'], io)
  await until(() => io.stdout.text.split('\x1b[H').length > 2)
  const [, screen = ''] = io.stdout.text.split('\x1b[H')
  assert.is(screen.split('\n').length, 8)
  assert.match(screen, /… \d+ more lines/)
  await end()
  assert.is(await code, 8)
})

test.run()
