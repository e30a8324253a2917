// 200 socket.io clients with 1,000 round trips each, over each transport; then pages in Chromium.

import type { Browser } from 'playwright-core'
import { assert, suite } from '../../../../test/suite.ts'
import { openBrowser } from '../../../../test/support/browser.ts'
import { type Front, startNginx } from '../../../../test/support/fronts.ts'
import { distinct, type RunningExample, startExample } from '../../test-support/start.ts'
import { chatRun, modes } from '../test/chat-clients.ts'
import { pageRun } from '../test/chat-pages.ts'

const test = suite('example socket.io-chat, long', { timeoutMs: 900_000 })
let example: RunningExample
let browser: Browser
let nginx: Front

test.before(async () => {
  example = await startExample('socket.io-chat', { workers: 4 })
  nginx = await startNginx(example.port)
  browser = await openBrowser()
})
test.after(() => example.stop())
test.after(() => browser.close())

for (const [name, transports] of modes) {
  test(`200 clients, 1,000 round trips each: ${name}`, async () => {
    const reports = await chatRun(example, { clients: 200, roundTrips: 1_000, transports, timeoutMs: 880_000 })
    assert.equal(distinct(reports.flatMap(({ faults }) => faults)), [])
    assert.ok(reports.every(({ roundTrips, pids }) => roundTrips === 1_000 && pids.length === 1))
    assert.ok(distinct(reports.flatMap(({ pids }) => pids)).length > 1)
  })

  test(`200 clients behind nginx with kept-alive connections, 1,000 round trips each: ${name}`, async () => {
    const run = { clients: 200, roundTrips: 1_000, transports, timeoutMs: 880_000 }
    const reports = await chatRun({ ...example, url: nginx.url }, run)
    assert.equal(distinct(reports.flatMap(({ faults }) => faults)), [])
    assert.ok(reports.every(({ roundTrips, pids }) => roundTrips === 1_000 && pids.length === 1))
  })

  test(`10 pages, 1,000 round trips each: ${name}`, async () => {
    const reports = await pageRun(browser, example, { pages: 10, roundTrips: 1_000, transports, timeoutMs: 600_000 })
    assert.equal(distinct(reports.flatMap(({ faults, httpErrors }) => [...faults, ...httpErrors])), [])
    assert.ok(reports.every(({ pids }) => pids.length === 1))
  })
}

test.run()
