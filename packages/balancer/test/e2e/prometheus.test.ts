// A real Prometheus scrapes while workers are killed and reloaded under load.

import { assert, suite } from '../../../../test/suite.ts'
import { scrapeUnderLoad } from './support/scrape-run.ts'

const test = suite('prometheus', { timeoutMs: 90_000 })

/** Panels of the Grafana board about what this run does not do. */
const MAYBE_EMPTY = ['Moved and forwarded', 'Refused by reason', 'TLS handshakes by outcome', 'Failed TLS handshakes by reason']

test('no count falls, and every request is counted once', async () => {
  const totals = await scrapeUnderLoad({ seed: 18, durationMs: 3_000, clients: 8, workers: 2, pauseMs: 400 })
  const { answers, broken, stored, fallen, failedScrapes, kills, reloads, emptyPanels } = totals
  const shown = JSON.stringify(totals)
  assert.ok(totals.series > 100, shown)
  assert.equal(fallen, [], shown)
  assert.is(failedScrapes, 0, shown)
  assert.ok(kills > 0 && reloads > 0, shown)
  assert.equal(
    emptyPanels.filter((title) => !MAYBE_EMPTY.includes(title)),
    [],
  )
  // A request that broke off with its worker was counted if the worker had begun it.
  assert.ok(stored >= answers && stored <= answers + broken, shown)
})

test.run()
