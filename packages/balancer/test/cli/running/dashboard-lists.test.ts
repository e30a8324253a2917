// The lists of the dashboard: newest first, and with nothing of a request but a hash of its key.

import { assert, suite } from '../../../../../test/suite.ts'
import type { GivenAdvice } from '../../../src/advice.ts'
import { dashboardLists } from '../../../src/cli/running/dashboard-lists.ts'
import type { Decision } from '../../../src/decisions/decision.ts'
import type { Insight } from '../../../src/insight/insight.ts'

const test = suite('dashboard lists')
const DECISION: Decision = {
  number: 1,
  time: 1_000,
  route: '/cart/*',
  pool: 'web',
  policy: 'sticky-hash',
  origin: 'client',
  waitedMs: 0,
  key: { kind: 'cookie sid', hash: '219bb8dc1d67' },
  worker: { slot: 2, generation: 0 },
  by: 'policy',
  refused: null,
  candidates: [],
  omitted: 3,
}

test('decisions and bad heads become lines, newest first', async () => {
  const decisions = [DECISION, { ...DECISION, time: 2_000, key: null, worker: null, refused: 'queue-full' as const, waitedMs: 40 }]
  const heads = [
    { number: 1, time: 3_000, reason: 'not-http', address: null, offset: 0, byte: 22, why: 'it is no HTTP', length: 5, lines: [] },
  ]
  const insight = { lastDecisions: (count: number) => decisions.slice(-count), badHeads: async () => heads }
  const advice: GivenAdvice = {
    ...{
      kind: 'too-many-workers',
      subject: 'web',
      seen: 'There are 8 workers.',
      advice: 'Start two.',
      config: 'pools: {},',
      sinceMs: 4_000,
    },
  }
  const report = { isOn: true, watchedMs: 1, advice: [advice, { ...advice, config: null }] }
  const lists = await dashboardLists(insight as unknown as Insight, async () => report)
  assert.equal(lists, {
    decisions: [
      { time: 2_000, subject: '/cart/*', text: '→ no worker: queue-full, of 3: sticky-hash, after 40 ms in the queue (client)' },
      { time: 1_000, subject: '/cart/*', text: '→ web/2, of 3: sticky-hash by cookie sid #219bb8dc1d67 (client)' },
    ],
    badHeads: [{ time: 3_000, subject: 'not-http', text: 'it is no HTTP (from a unix socket)' }],
    advice: [
      { time: 4_000, subject: 'web', text: 'There are 8 workers. Start two.', config: 'pools: {},' },
      { time: 4_000, subject: 'web', text: 'There are 8 workers. Start two.' },
    ],
  })
  const off = await dashboardLists(insight as unknown as Insight, async () => ({ isOn: false, watchedMs: 0, advice: [] }))
  assert.is(off.advice, null, 'switched off, so the page has no such section')
})

test.run()
