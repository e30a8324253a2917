// The docs hold every option, error code and metric, and the defaults they tell are the real ones.

import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { suite } from '../../../test/suite.ts'
import { metricDefinitions } from '../src/admin/metrics.ts'
import { SlotTotals } from '../src/admin/slot-totals.ts'
import {
  defaultAutoscale,
  defaultHealthWhen,
  defaultLimits,
  defaultOutliers,
  defaultQueue,
  defaultReadyWhen,
  defaultReload,
  defaultSlowStart,
} from '../src/config/defaults.ts'
import { configEntries, nestedEntries, poolParts } from '../src/config/schema.ts'
import { errorCodes } from '../src/errors.ts'

const test = suite('config docs')
const read = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8')
const configuration = read('configuration.md')

/** The rows of a page's tables, by their first cell. */
function rowsOf(page: string): Map<string, string[]> {
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      )
      .map((cells) => [(cells[0] as string).replaceAll('`', ''), cells]),
  )
}

for (const key of Object.keys(configEntries)) test(`option ${key}`, () => assert.ok(rowsOf(configuration).has(key)))

for (const [part, entries] of Object.entries(nestedEntries)) {
  for (const key of Object.keys(entries))
    test(`option ${part}: ${key}`, () => assert.match(configuration, new RegExp(`^\\| \`${key}(\\.|\`)`, 'm')))
}

for (const [name, value] of Object.entries(defaultLimits))
  test(`default of ${name}`, () => assert.is(rowsOf(configuration).get(name)?.[1], String(value)))

for (const [part, entries] of Object.entries(poolParts)) {
  for (const key of Object.keys(entries)) test(`option ${part}.${key}`, () => assert.ok(rowsOf(configuration).has(`${part}.${key}`)))
}

const parts = {
  queue: defaultQueue,
  slowStart: defaultSlowStart,
  reload: defaultReload,
  readyWhen: defaultReadyWhen,
  healthWhen: defaultHealthWhen,
  outliers: defaultOutliers,
  autoscale: defaultAutoscale,
}
for (const [part, defaults] of Object.entries(parts)) {
  for (const [name, value] of Object.entries(defaults))
    test(`default of ${part}.${name}`, () => assert.is(rowsOf(configuration).get(`${part}.${name}`)?.[1], String(value)))
}

for (const [code, { exitCode }] of Object.entries(errorCodes)) {
  test(`error ${code}`, () => assert.match(read('errors.md'), new RegExp(`^## ${code}\n\nExit code ${exitCode}\\b`, 'm')))
}

for (const { name, type } of metricDefinitions(new SlotTotals()))
  test(`metric ${name}`, () => assert.is(rowsOf(read('metrics.md')).get(name)?.[1], type))

test.run()
