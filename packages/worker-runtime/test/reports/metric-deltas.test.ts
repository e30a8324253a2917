// What a worker sends of the metrics of prom-client.

import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client'
import { assert, suite } from '../../../../test/suite.ts'
import type { AppMetric } from '../../src/reports/app-registries.ts'
import { MetricDeltas } from '../../src/reports/metric-deltas.ts'
import { partsOf, valuesNow } from '../../src/reports/metric-reports.ts'

const test = suite('metric deltas')
const registers = [new Registry()]
const common = { help: 'h', registers }

async function sent(deltas: MetricDeltas, metric: object): Promise<(string | number | null)[][] | undefined> {
  const family = deltas.family(await (metric as AppMetric).get(), false)
  return family?.samples.map(({ suffix, labels, value }) => [suffix, labels, value])
}

test('counters: what has come since the last message', async () => {
  const deltas = new MetricDeltas()
  const counter = new Counter({ ...common, name: 'c', labelNames: ['z', 'a'] })
  assert.equal(await sent(deltas, counter), [], 'the type alone')
  counter.inc({ z: 'x"\n\\', a: '1' }, 2)
  assert.equal(await sent(deltas, counter), [['', 'a="1",z="x\\"\\n\\\\"', 2]])
  assert.is(await sent(deltas, counter), undefined)
  counter.inc({ z: 'x"\n\\', a: '1' }, 3)
  assert.equal(await sent(deltas, counter), [['', 'a="1",z="x\\"\\n\\\\"', 3]])
  counter.reset()
  counter.inc({ z: 'x"\n\\', a: '1' }, 1)
  assert.equal(await sent(deltas, counter), [['', 'a="1",z="x\\"\\n\\\\"', 1]], 'the app has reset it')
})

test('gauges: the value, when it has changed, and that it is gone', async () => {
  const deltas = new MetricDeltas()
  const gauge = new Gauge({ ...common, name: 'g', labelNames: ['a'] })
  gauge.set({ a: '{' }, 5)
  gauge.set({ a: '2' }, 5)
  assert.equal(await sent(deltas, gauge), [
    ['', 'a="{"', 5],
    ['', 'a="2"', 5],
  ])
  gauge.set({ a: '2' }, 4)
  gauge.remove({ a: '{' })
  assert.equal(await sent(deltas, gauge), [
    ['', 'a="2"', 4],
    ['', 'a="{"', null],
  ])
})

test('summaries: quantiles as gauges, sum and count as counters', async () => {
  const deltas = new MetricDeltas()
  const summary = new Summary({ ...common, name: 's', percentiles: [0.5] })
  summary.observe(3)
  await sent(deltas, summary)
  summary.observe(3)
  assert.equal(await sent(deltas, summary), [
    ['_sum', '', 3],
    ['_count', '', 1],
  ])
})

test('at the exit the same values are read without a wait', async () => {
  const counter = new Counter({ ...common, name: 'e', labelNames: ['a'] })
  counter.inc({ a: '1' }, 2)
  const histogram = new Histogram({ ...common, name: 'f', labelNames: ['a'], buckets: [0.1, 1, 10] })
  for (const value of [0.05, 0.5, 0.5, 100]) histogram.observe({ a: '1' }, value)
  for (const metric of [counter, histogram] as unknown as AppMetric[]) {
    const waited = new MetricDeltas().family(await metric.get(), false)?.samples
    const now = valuesNow(metric)
    assert.equal(now && new MetricDeltas().family(now, false)?.samples, waited)
  }
  assert.is(valuesNow(new Gauge({ ...common, name: 'k' }) as unknown as AppMetric), undefined)
})

test('long families are cut into several messages', () => {
  const samples = Array.from({ length: 2000 }, (_, index) => ({ suffix: '', labels: `a="${index}"`, value: index }))
  const parts = partsOf([{ name: 'a', kind: 'counter', isOfProcess: false, samples }])
  assert.ok(parts.length > 2)
  assert.ok(parts.every((part) => JSON.stringify(part).length < 20_000))
  assert.equal(
    parts.flat().flatMap((family) => family.samples),
    samples,
  )
})

test.run()
