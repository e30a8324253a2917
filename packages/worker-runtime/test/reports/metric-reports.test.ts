// What a worker has counted reaches the primary, even when the process exits in the middle of a report.

import { Counter, Gauge, Registry } from 'prom-client'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { type MetricFamily, readFamilies } from '../../src/metric-messages.ts'
import { shareMetrics } from '../../src/reports/app-registries.ts'
import { startMetricReports } from '../../src/reports/metric-reports.ts'

const test = suite('metric reports')

test('counts that were collected and not sent are sent at the exit', async () => {
  const registry = new Registry()
  shareMetrics(registry)
  const counter = new Counter({ name: 'first', help: 'h', registers: [registry] })
  let isAsked = false
  new Gauge({
    ...{ name: 'slow', help: 'h', registers: [registry] },
    collect: () => {
      isAsked = true
      return new Promise<void>(() => {})
    },
  })
  const sent: MetricFamily[] = []
  let receive: (message: { switchyard: string; isWanted: boolean }) => void = () => {}
  const runtime = {
    start: { slot: 0 },
    end: { control: { unsent: 0 } },
    onMessage: (listener: typeof receive) => {
      receive = listener
    },
    send: ({ families }: { families: unknown }) => void sent.push(...readFamilies(families)),
  }
  const exemplars = { start() {}, stop() {}, take: () => [] }
  const sendLast = startMetricReports({ runtime, exemplars } as never)
  counter.inc(3)
  receive({ switchyard: 'metrics', isWanted: true })
  await until(() => isAsked)
  counter.inc(4)
  sendLast()
  receive({ switchyard: 'metrics', isWanted: false })
  const values = sent.filter(({ name }) => name === 'first').flatMap(({ samples }) => samples.map(({ value }) => value))
  assert.equal(values, [3, 4])
})

test.run()
