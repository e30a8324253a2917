// The maximum length of a head is that of the app's own parser, unless the config sets it.

import { assert, suite } from '../../../../test/suite.ts'
import { exchange, get } from './support/raw-client.ts'
import { startBalancer } from './support/running-balancer.ts'

const test = suite('length of heads', { timeoutMs: 40_000 })

const cases: readonly [what: string, env: Record<string, string>, more: object, statuses: readonly [bytes: number, status: number][]][] = [
  [
    'Node’s own limit',
    {},
    {},
    [
      [15_000, 200],
      [17_000, 431],
      [40_000, 431],
    ],
  ],
  [
    'NODE_OPTIONS',
    { NODE_OPTIONS: '--max-http-header-size=65536' },
    {},
    [
      [60_000, 200],
      [70_000, 431],
    ],
  ],
  [
    'the option of the app’s server',
    { MAX_HEADER: '100000' },
    {},
    [
      [90_000, 200],
      [110_000, 431],
      [300_000, 431],
    ],
  ],
  [
    'maxHeadBytes of the config',
    { MAX_HEADER: '100000' },
    { maxHeadBytes: 20_000 },
    [
      [19_000, 200],
      [21_000, 431],
    ],
  ],
]

for (const [what, env, more, statuses] of cases)
  test(what, async () => {
    const balancer = await startBalancer({ config: { app: 'connection-app.mjs', ...more }, env })
    for (const [bytes, status] of statuses)
      assert.is((await exchange(balancer.port, get('/', { Cookie: 'c'.repeat(bytes) }))).status, status, `${bytes} bytes`)
    if (what === 'Node’s own limit') {
      const many = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`x-${index}`, 'some value'.slice(index % 4)]))
      assert.is((await exchange(balancer.port, get('/', many))).status, 200, 'many small fields')
    }
    assert.is(await balancer.stop(), 0)
  })

test.run()
