// The chat's page in Chromium. The long form is in soak/.

import type { Browser } from 'playwright-core'
import { assert, suite } from '../../../../test/suite.ts'
import { openBrowser } from '../../../../test/support/browser.ts'
import { patience } from '../../../../test/support/patience.ts'
import { distinct, type RunningExample, startExample } from '../../test-support/start.ts'
import { modes } from './chat-clients.ts'
import { pageRun } from './chat-pages.ts'

const test = suite('example socket.io-chat in a browser', { timeoutMs: 40_000 })
let example: RunningExample
let browser: Browser

test.before(async () => {
  ;[example, browser] = await Promise.all([startExample('socket.io-chat', { workers: 4 }), openBrowser()])
})
test.after(() => example.stop())
test.after(() => browser.close())

for (const [name, transports] of modes) {
  test(`3 pages, 20 round trips each: ${name}`, async () => {
    const reports = await pageRun(browser, example, { pages: 3, roundTrips: 20, transports, timeoutMs: 20_000 })
    assert.equal(distinct(reports.flatMap(({ faults, httpErrors }) => [...faults, ...httpErrors])), [])
    assert.ok(
      reports.every(({ pids }) => pids.length === 1),
      'each session stayed in its worker',
    )
    assert.ok(reports.every(({ lastTransport }) => lastTransport === transports.at(-1)))
  })
}

test('what is typed on one page is read on another', async () => {
  const context = await browser.newContext()
  try {
    const [ada, bob] = await Promise.all(
      ['Ada', 'Bob'].map(async (name) => {
        const page = await context.newPage()
        page.setDefaultTimeout(patience(10_000))
        await page.goto(`${example.url}/?room=two&name=${name}`)
        await page.locator('#state', { hasText: 'over websocket' }).waitFor()
        return page
      }),
    )
    await ada?.fill('#text', 'is this thing on?')
    await ada?.click('button')
    const entry = bob?.locator('#log li')
    await entry?.waitFor()
    assert.match((await entry?.textContent()) ?? '', /^Ada\s*is this thing on\?\s*worker \d$/)
  } finally {
    await context.close()
  }
})

test('on a phone nothing is wider than the screen', async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } })
  try {
    const page = await context.newPage()
    page.setDefaultTimeout(patience(10_000))
    await page.goto(`${example.url}/?room=phone&name=Ada`)
    await page.locator('#state', { hasText: 'over websocket' }).waitFor()
    await page.fill('#text', 'x'.repeat(300))
    await page.click('button')
    await page.locator('#log li').waitFor()
    assert.is(await page.evaluate('document.documentElement.scrollWidth'), 390)
    assert.is(await page.evaluate("document.querySelector('#log').scrollWidth - document.querySelector('#log').clientWidth"), 0)
  } finally {
    await context.close()
  }
})

test.run()
