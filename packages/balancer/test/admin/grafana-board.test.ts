// The Grafana board and the alert rules in docs/: Prometheus can read every expression, and they name only metrics and labels that are on the page.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { metricDefinitions } from '../../src/admin/metrics.ts'
import { SlotTotals } from '../../src/admin/slot-totals.ts'
import { type BoardQuery, expanded, type Panel, queriesOf, readBoard } from '../support/grafana-board.ts'

const test = suite('grafana board', { timeoutMs: 20_000 })

const COLUMNS = 24
const DATA_SOURCE = `$${'{datasource}'}`
/** Prometheus adds them to every series, or they belong to histograms. */
const OTHER_LABELS = ['instance', 'job', 'le']
const rulesFile = fileURLToPath(new URL('../../../../docs/alert-rules.yml', import.meta.url))
const docs = readFileSync(new URL('../../../../docs/metrics.md', import.meta.url), 'utf8')
const board = readBoard()
const queries = queriesOf(board)
const folder = mkdtempSync(join(tmpdir(), 'switchyard-board-'))
atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string; readonly annotations: Record<string, string> }[]
  }[]
}

const alerts: BoardQuery[] = (parse(readFileSync(rulesFile, 'utf8')) as Rules).groups.flatMap(({ rules }) =>
  rules.map(({ alert, expr, annotations }) => ({
    where: alert,
    expr,
    legend: Object.values(annotations).join(' ').replaceAll('$labels.', ''),
  })),
)

function promtool(...args: string[]): void {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { encoding: 'utf8' })
  assert.is(status, 0, `${error?.message ?? ''}${stdout}${stderr}`)
}

/** The series that each metric has, by their names: a histogram has three. */
function seriesNames(): Map<string, string> {
  const names = new Map<string, string>()
  for (const { name, type } of metricDefinitions(new SlotTotals())) {
    const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    for (const suffix of suffixes) names.set(name + suffix, name)
  }
  return names
}

/** The labels of a metric in docs/metrics.md. */
function labelsOf(metric: string): string[] {
  const row = docs.split('\n').find((line) => line.startsWith(`| \`${metric}\``))
  return [...(row?.split('|')[3] ?? '').matchAll(/`(\w+)`/g)].map(([, label]) => label as string)
}

/** The labels that an expression and its legend name. */
function labelsIn({ expr, legend }: BoardQuery): string[] {
  const lists = [...expr.matchAll(/\b(?:by|on|without|ignoring) \(([^)]*)\)/g)].flatMap(([, list]) => (list as string).split(/, */))
  const matched = [...expr.matchAll(/[{,](\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label as string)
  const shown = [...legend.matchAll(/\{\{ *(\w+) *\}\}/g)].map(([, label]) => label as string)
  return [...new Set([...lists, ...matched, ...shown])]
}

const overlap = ({ gridPos: one }: Panel, { gridPos: other }: Panel): boolean =>
  one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h

test('the panels have ids of their own and do not overlap', () => {
  const { panels } = board
  assert.is(new Set(panels.map(({ id }) => id)).size, panels.length)
  for (const [index, panel] of panels.entries()) {
    assert.ok(panel.gridPos.x + panel.gridPos.w <= COLUMNS, panel.title)
    for (const other of panels.slice(index + 1)) assert.not.ok(overlap(panel, other), `${panel.title} and ${other.title}`)
  }
})

test('the board uses only variables that it defines, and the data source that the user chooses', () => {
  const defined = [...board.templating.list.map(({ name }) => name), '__rate_interval', '__all']
  const used = [...JSON.stringify(board).matchAll(/\$\{?(\w+)/g)].map(([, name]) => name as string)
  assert.equal(
    used.filter((name) => !defined.includes(name)),
    [],
  )
  for (const { title, type, datasource } of board.panels) if (type !== 'row') assert.is(datasource?.uid, DATA_SOURCE, title)
})

test('Prometheus can read every expression', () => {
  const file = join(folder, 'rules.yml')
  const variables = board.templating.list.flatMap(
    ({ query }) => /^label_values\((.*), *\w+\)$/.exec(typeof query === 'string' ? query : query.query)?.[1] ?? [],
  )
  const rules = [...queries.map(({ expr }) => expr), ...variables].map((expr, index) => ({
    record: `board:${index}`,
    expr: expanded(expr),
  }))
  assert.ok(rules.length > 25)
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'board', rules }] }))
  promtool('check', 'rules', file)
  promtool('check', 'rules', rulesFile)
})

for (const query of [...queries, ...alerts])
  test(`${query.where}: metrics and labels that are on the page`, () => {
    const known = seriesNames()
    const named = [...query.expr.matchAll(/\b(?:switchyard|process|nodejs)_\w+/g)].map(([name]) => name)
    assert.ok(named.length > 0 || /\bup\b/.test(query.expr), query.expr)
    const own = named.filter((name) => name.startsWith('switchyard_'))
    assert.equal(
      own.filter((name) => !known.has(name)),
      [],
    )
    const labels = own.flatMap((name) => labelsOf(known.get(name) as string))
    // Those of a process are labelled with its pool and slot.
    if (own.length < named.length) labels.push('pool', 'slot')
    assert.equal(
      labelsIn(query).filter((label) => !OTHER_LABELS.includes(label) && !labels.includes(label)),
      [],
    )
  })

test.run()
