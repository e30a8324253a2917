// The traces of `mixed`, the connections that carry them, and the report of its samples. One very short run of the whole.

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { assert, suite } from '../../test/suite.ts'
import { until } from '../../test/support/until.ts'
import { mixedContenders } from '../src/contenders.ts'
import { KeptConnections } from '../src/kept-connections.ts'
import type { MixedSample } from '../src/mixed.ts'
import { type MixedRow, mixedRows, mixedTable, mixedVerdicts } from '../src/mixed-report.ts'
import { quantile } from '../src/quantile.ts'
import type { Verdict } from '../src/report.ts'
import { traceOf } from '../src/trace.ts'
import { dataOf, start } from './run.ts'

const test = suite('bench mixed')
const light = { name: 'light', path: '/web', perSecond: 1_000 }
const heavy = { name: 'heavy', path: '/heavy', perSecond: 16 }
const options = { seed: 3, seconds: 20, connections: 64, streams: [light, heavy] }

test('a trace follows from its seed, in order of time', () => {
  const trace = traceOf(options)
  assert.equal(trace, traceOf(options))
  assert.not.equal(trace, traceOf({ ...options, seed: 4 }))
  assert.ok(trace.every(({ atMs }, index) => atMs >= (trace[index - 1]?.atMs ?? 0) && atMs < 20_000))
  const heavyOnes = trace.filter(({ stream }) => stream === heavy).length
  assert.ok(heavyOnes > 250 && heavyOnes < 390, `${heavyOnes} heavy ones`)
  assert.ok(Math.abs(trace.length - heavyOnes - 20_000) < 600, `${trace.length - heavyOnes} light ones`)
  assert.is(new Set(trace.map(({ connection }) => connection)).size, 64)
})

test('without heavy requests the light ones are the same', () => {
  const lightOnes = traceOf(options).filter(({ stream }) => stream === light)
  assert.equal(traceOf({ ...options, streams: [light, { ...heavy, perSecond: 0 }] }), lightOnes)
})

test('a quantile is one of the values', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index)
  assert.equal(
    [0, 0.5, 0.99, 1].map((part) => quantile(values, part)),
    [1, 100, 198, 200],
  )
  assert.is(quantile([], 0.5), 0)
})

test('a request whose connection is busy takes the next free one, or the first that becomes free', async () => {
  const held = new Map<string, { answer: ServerResponse; client: number | undefined }>()
  const server = createServer((request, answer) => {
    if (request.url === '/open') answer.end()
    else held.set(request.url ?? '', { answer, client: request.socket.remotePort })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const connections = new KeptConnections((server.address() as AddressInfo).port, 2)
  await connections.open('/open')
  const faults: (string | undefined)[] = []
  for (const path of ['/first', '/second', '/third', '/fourth']) connections.ask(1, path, (fault) => faults.push(fault))
  await until(() => held.size === 2)
  assert.equal([...held.keys()].sort(), ['/first', '/second'])
  assert.is.not(held.get('/first')?.client, held.get('/second')?.client)
  held.get('/second')?.answer.end()
  await until(() => held.has('/third'))
  assert.is(held.get('/third')?.client, held.get('/second')?.client)
  assert.not(held.has('/fourth'))
  held.get('/first')?.answer.end()
  await until(() => held.has('/fourth'))
  held.get('/third')?.answer.writeHead(500).end()
  held.get('/fourth')?.answer.end()
  await until(() => faults.length === 4)
  assert.equal(faults, [undefined, undefined, 'answers of 500', undefined])
  connections.close()
  await new Promise((resolve) => server.close(resolve))
})

function sample(contender: string, seed: number, p99Ms: number): MixedSample {
  const light = { count: 1_000, p50Ms: 0.5, p99Ms, maxMs: 90 }
  return { contender, seed, light, heavy: { ...light, count: 16 }, lateP99Ms: 0.1 }
}

test('the medians of the seeds are compared with those of the run without heavy ones', () => {
  const samples = [
    ...[3, 2.5, 40].map((p99Ms, seed) => sample('switchyard', seed, p99Ms)),
    ...[2, 2, 1].map((p99Ms, seed) => sample('switchyard, no heavy', seed, p99Ms)),
  ]
  const rows = mixedRows(samples)
  assert.equal(
    rows.map(({ contender, lightP99Ms, againstBaseline }) => [contender, lightP99Ms, againstBaseline]),
    [
      ['switchyard', 3, 1.5],
      ['switchyard, no heavy', 2, 1],
    ],
  )
  assert.equal(
    mixedVerdicts(rows).map(({ measured, met }) => [measured, met]),
    [[1.5, true]],
  )
  assert.equal(mixedVerdicts(mixedRows(samples.slice(0, 3))), [])
  assert.is(mixedTable(rows).split('\n').length, 4)
})

test(
  'every contender is sent the trace, and all its requests are answered',
  async () => {
    const { rows, samples, verdicts } = await dataOf<{ rows: MixedRow[]; samples: MixedSample[]; verdicts: Verdict[] }>(
      start('--json', '--mixed', '--seconds', '0.3'),
    )
    assert.equal(
      rows.map(({ contender }) => contender),
      mixedContenders.map(({ name }) => name),
    )
    for (const { contender, light, heavy } of samples) {
      assert.ok(light.count > 200, `${contender}: ${light.count} light ones`)
      assert.is(heavy.count > 0, contender !== 'switchyard, no heavy', contender)
    }
    assert.is(verdicts.length, 1)
  },
  { timeoutMs: 120_000 },
)

test.run()
