// The metrics that workers push: sums, gauges by worker, dead workers, and bounds.

import { readFromWorker } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { MetricStore } from '../../src/counts/metric-store.ts'

const test = suite('metric store')

interface Family {
  name?: string
  kind?: string
  aggregator?: string
  own?: boolean
  samples: unknown[][]
}

class World {
  readonly told: string[] = []
  readonly sources = [0, 1].map((slot) => this.source(slot + 1, slot))
  readonly store = new MetricStore(() => this.sources)

  source(id: number, slot: number) {
    return {
      id,
      slot,
      pool: 'web',
      routeNames: ['/a', '/b'],
      send: (message: object) => this.told.push(`${slot} ${JSON.stringify(message)}`),
    }
  }

  /** A message as it arrives. */
  push(source: ReturnType<World['source']>, ...families: Family[]): void {
    const whole = families.map((family) => ({ name: 'app', kind: 'counter', help: 'h', ...family }))
    const message = readFromWorker(JSON.parse(JSON.stringify({ switchyard: 'metrics', families: whole, exemplars: [] })))
    if (message?.switchyard === 'metrics') this.store.receive(source, message.families, message.exemplars)
  }

  get lines(): string[] {
    return [...this.store.families()].flatMap((family) =>
      [...family.series()].map(({ suffix, labels, value }) => `${family.name}${suffix}{${labels}} ${value}`),
    )
  }
}

test('counters and histograms are summed, and stay when a worker is gone', () => {
  const world = new World()
  const [one, other] = world.sources as [ReturnType<World['source']>, ReturnType<World['source']>]
  world.push(
    one,
    { samples: [['', 'a="1"', 2]] },
    {
      name: 'h',
      kind: 'histogram',
      samples: [
        ['_bucket', 'le="1"', 3],
        ['_sum', '', 1.5],
      ],
    },
  )
  world.push(other, {
    samples: [
      ['', 'a="1"', 5],
      ['', 'a="2"', 1],
    ],
  })
  world.push(one, { samples: [['', 'a="1"', 1]] })
  world.store.forget(one)
  assert.equal(world.lines, ['app{a="1"} 8', 'app{a="2"} 1', 'h_bucket{le="1"} 3', 'h_sum{} 1.5'])
})

test('a gauge has one series for each worker, and goes with its worker', () => {
  const world = new World()
  const [one, other] = world.sources as [ReturnType<World['source']>, ReturnType<World['source']>]
  world.push(one, {
    kind: 'gauge',
    samples: [
      ['', 'pool="x"', 1],
      ['', 'a="1"', 4],
    ],
  })
  world.push(other, { kind: 'gauge', samples: [['', '', 2]] })
  world.push(one, { kind: 'gauge', samples: [['', 'a="1"', null]] })
  assert.equal(world.lines, ['app{exported_pool="x",pool="web",slot="0"} 1', 'app{pool="web",slot="1"} 2'])
  // Its replacement speaks for the slot.
  world.push(world.source(3, 1), { kind: 'gauge', samples: [['', '', 7]] })
  assert.equal(world.lines.at(-1), 'app{pool="web",slot="1"} 7')
  world.store.forget(one)
  assert.is(world.lines.length, 1)
})

for (const [aggregator, expected] of [
  ['first', ['app{} 1']],
  ['min', ['app{} 1']],
  ['max', ['app{} 4']],
  ['average', ['app{} 2.5']],
  ['omit', []],
] as const) {
  test(`the aggregator ${aggregator} makes one gauge of all`, () => {
    const world = new World()
    for (const [index, source] of world.sources.entries())
      world.push(source, { kind: 'gauge', aggregator, samples: [['', '', 1 + 3 * index]] })
    assert.equal(world.lines, expected)
  })
}

test('metrics of a process have the labels of its worker, whatever their kind', () => {
  const world = new World()
  const [one] = world.sources as [ReturnType<World['source']>]
  world.push(one, { name: 'process_cpu_seconds_total', own: true, samples: [['', '', 2]] })
  world.store.forget(one)
  world.push(world.source(3, 0), { name: 'process_cpu_seconds_total', own: true, samples: [['', '', 1]] })
  assert.equal(world.lines, ['process_cpu_seconds_total{pool="web",slot="0"} 3'])
})

test('what is no metric is not taken', () => {
  const world = new World()
  const [one] = world.sources as [ReturnType<World['source']>]
  world.push(
    one,
    { name: 'switchyard_x', samples: [['', '', 1]] },
    { name: 'a b', samples: [['', '', 1]] },
    { name: 'app', kind: 'thing', samples: [['', '', 1]] },
    {
      samples: [
        ['', 'a="1"} 5\nb{', 1],
        ['', 'a=1', 1],
        ['', 'a="1",', 1],
        ['_x', '', 1],
        ['', '', 'x'],
        ['', '', -1],
        ['', 'a="1"', 1],
      ],
    },
    { kind: 'gauge', samples: [['', '', 1]] },
    {
      name: 'g',
      kind: 'gauge',
      samples: [
        ['', '', 'NaN'],
        ['', 'a="\\n\\"\\\\"', 'Infinity'],
      ],
    },
  )
  assert.equal(world.lines, ['app{a="1"} 1', 'g{pool="web",slot="0"} NaN', 'g{a="\\n\\"\\\\",pool="web",slot="0"} Infinity'])
  assert.is(world.store.dropped, 2)
})

test('the number of series is bounded, and what does not fit is counted', () => {
  const world = new World()
  const [one] = world.sources as [ReturnType<World['source']>]
  for (let part = 0; part < 60; part++)
    world.push(one, { samples: Array.from({ length: 1000 }, (_, index) => ['', `a="${part}-${index}"`, 1]) })
  assert.is(world.lines.length, 50_000)
  assert.is(world.store.dropped, 10_000)
  world.push(one, { samples: [['', 'a="0-0"', 1]] })
  assert.is(world.lines[0], 'app{a="0-0"} 2')
})

test('workers are told once that metrics are wanted, and new ones when they start', () => {
  const world = new World()
  world.store.greet(world.source(3, 2))
  world.store.want()
  world.store.want()
  world.store.greet(world.source(4, 3))
  const wanted = '{"switchyard":"metrics","isWanted":true}'
  assert.equal(world.told, [`0 ${wanted}`, `1 ${wanted}`, `3 ${wanted}`])
})

test.run()
