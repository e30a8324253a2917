// The docs list every option, error code and metric, and give the real defaults.

import { readFileSync } from 'node:fs'
import { sessionDefaults } from '@switchyard/worker-runtime'
import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { metricDefinitions } from '../../src/admin/metrics.ts'
import { SlotTotals } from '../../src/admin/slot-totals.ts'
import { accessLogEntries } from '../../src/config/access-log-options.ts'
import { configEntries } from '../../src/config/config.ts'
import { defaultHttp2 } from '../../src/config/http2-options.ts'
import { defaultLimits } from '../../src/config/limit-options.ts'
import { listenEntries } from '../../src/config/listen-options.ts'
import { logEntries, rotationEntries } from '../../src/config/log-options.ts'
import { defaultAutoscale } from '../../src/config/pool/autoscale-options.ts'
import { defaultOutliers } from '../../src/config/pool/outlier-options.ts'
import { defaultQueue, defaultReload, defaultSlowStart, poolEntries, poolParts } from '../../src/config/pool/pool-options.ts'
import { defaultHealthWhen, defaultReadyWhen } from '../../src/config/pool/probe-options.ts'
import { defaultUpstream, defaultUpstreamDns } from '../../src/config/pool/upstream-options.ts'
import { routeEntries } from '../../src/config/route-options.ts'
import { sessionEntries, sessionParts } from '../../src/config/session-options.ts'
import { tlsOptionEntries } from '../../src/config/tls-options.ts'
import { errorCodes } from '../../src/errors.ts'

const test = suite('config docs')
const read = (name: string) => readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8')
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

for (const [part, entries] of Object.entries({ pools: poolEntries, routes: routeEntries, listen: listenEntries })) {
  for (const key of Object.keys(entries))
    test(`option ${part}: ${key}`, () => assert.match(configuration, new RegExp(`^\\| \`${key}(\\.|\`)`, 'm')))
}

for (const [name, value] of Object.entries(defaultLimits).filter(([, value]) => value !== undefined))
  test(`default of ${name}`, () => assert.is(rowsOf(configuration).get(name)?.[1], String(value)))

for (const [part, entries] of Object.entries(poolParts)) {
  // `upstream.dns` has options of its own.
  for (const key of Object.keys(entries))
    test(`option ${part}.${key}`, () => assert.match(configuration, new RegExp(`^\\| \`${part}\\.${key}(\\.|\`)`, 'm')))
}

for (const [part, entries] of Object.entries({ logs: logEntries, 'logs.rotate': rotationEntries, accessLog: accessLogEntries })) {
  for (const key of Object.keys(entries)) test(`option ${part}.${key}`, () => assert.ok(rowsOf(configuration).has(`${part}.${key}`)))
}

for (const [key, value] of Object.entries(defaultHttp2))
  test(`default of http2.${key}`, () => assert.is(rowsOf(configuration).get(`http2.${key}`)?.[1]?.replaceAll('`', ''), String(value)))

for (const key of Object.keys(tlsOptionEntries))
  test(`option tls.${key}`, () => assert.match(configuration, new RegExp(`^\\| \`tls\\.${key}(\\.|\`)`, 'm')))

for (const key of Object.keys(sessionEntries))
  test(`option sessions.${key}`, () => assert.match(configuration, new RegExp(`^\\| \`sessions\\.${key}(\\.|\`)`, 'm')))
for (const [part, entries] of Object.entries(sessionParts)) {
  for (const key of Object.keys(entries))
    test(`option sessions.${part}.${key}`, () => assert.ok(rowsOf(configuration).has(`sessions.${part}.${key}`)))
}
const { nearCache, breaker, cookie, ...flatDefaults } = sessionDefaults
for (const [part, defaults] of Object.entries({
  sessions: flatDefaults,
  'sessions.nearCache': nearCache,
  'sessions.breaker': breaker,
  'sessions.cookie': cookie,
})) {
  for (const [name, value] of Object.entries(defaults ?? {})) {
    if (value === undefined || name === 'secrets') continue
    test(`default of ${part}.${name}`, () =>
      assert.is(rowsOf(configuration).get(`${part}.${name}`)?.[1]?.replaceAll('`', ''), String(value)))
  }
}

const parts = {
  queue: defaultQueue,
  slowStart: defaultSlowStart,
  reload: defaultReload,
  readyWhen: defaultReadyWhen,
  healthWhen: defaultHealthWhen,
  outliers: defaultOutliers,
  autoscale: defaultAutoscale,
  upstream: defaultUpstream,
  'upstream.dns': defaultUpstreamDns,
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
