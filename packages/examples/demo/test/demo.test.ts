// The page of `npm start` in Chromium: which worker answers what, the chat beside it, and all of it over HTTP/2.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { httpsVariables } from '../../../../scripts/demo-https.mjs'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { inOneAttempt } from '../../../../test/support/attempts.ts'
import { openBrowser } from '../../../../test/support/browser.ts'
import { patience } from '../../../../test/support/patience.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { until } from '../../../../test/support/until.ts'
import { ask, askAtOnce, distinct, type RunningExample, startExample } from '../../test-support/start.ts'

const test = suite('demo', { timeoutMs: 40_000 })
let example: RunningExample
let browser: Browser
let secureUrl: string
const REQUESTS = 200
const certificates = mkdtempSync(join(tmpdir(), 'demo-https-'))
atSuiteEnd(() => rmSync(certificates, { recursive: true }))

test.before(async () => {
  const [http, https] = await Promise.all([freePort(), freePort()])
  const { variables } = await httpsVariables([], { HTTPS_PORT: String(https) }, certificates)
  secureUrl = `https://localhost:${https}/`
  const env = { PORT: String(http), ...variables }
  ;[example, browser] = await Promise.all([startExample('demo', { workers: 6, args: [], env }), openBrowser()])
})
test.after(() => example.stop())
test.after(() => browser.close())

async function withPage(body: (page: Page) => Promise<void>, width = 1280): Promise<void> {
  const context = await browser.newContext({ viewport: { width, height: 844 } })
  try {
    const page = await context.newPage()
    page.setDefaultTimeout(patience(15_000))
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(error.message))
    page.on('response', (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`))
    await page.goto(`${example.url}/?name=Ada`)
    await page.locator('#state', { hasText: /worker \d, websocket/ }).waitFor()
    await body(page)
    assert.equal(errors, [])
    assert.is(await page.textContent('#fault-count'), '0')
  } finally {
    await context.close()
  }
}

/** Answers that the picture shows for each worker of a pool. */
async function countsOf(page: Page, pool: string): Promise<number[]> {
  const texts = await page.locator(`#yard g.${pool} .count`).allTextContents()
  return texts.map(Number)
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

test('light requests go to the four web workers, reports to the two heavy ones', async () => {
  await inOneAttempt([0, 1, 2, 3], async () => {
    const light = await askAtOnce(example, 24, '/light')
    assert.equal(distinct(light.map(({ json }) => json.pool)), ['web'])
    return distinct(light.map(({ json }) => json.slot as number)).sort()
  })
  const heavy = await askAtOnce(example, 4, '/reports/1?ms=50')
  assert.equal(distinct(heavy.map(({ json }) => json.pool)), ['heavy'])
  assert.equal(distinct(heavy.map(({ json }) => json.slot as number)).sort(), [0, 1])
  assert.is((await ask(example, '/nothing')).status, 404)
})

test('the page shows which worker answered each light request', () =>
  withPage(async (page) => {
    await page.click('#light')
    await until(async () => (await page.textContent('#light-count')) === '10', 10_000, 'ten answers')
    const counts = await countsOf(page, 'web')
    assert.is(counts.length, 4)
    assert.is(sum(counts), 10)
    assert.equal(await countsOf(page, 'heavy'), [0, 0])
  }))

test('while reports block the heavy workers, the page goes on getting light answers', () =>
  inOneAttempt('0 reports before ten light ones', async () => {
    let before: string | null = null
    await withPage(async (page) => {
      for (let count = 0; count < 2; count++) await page.click('#report')
      await page.click('#light')
      await until(async () => (await page.textContent('#light-count')) === '10', 10_000, 'ten answers')
      before = await page.textContent('#report-count')
      await until(async () => (await page.textContent('#report-count')) === '2', 15_000, 'two reports')
      assert.is(sum(await countsOf(page, 'web')), 10)
      assert.is(sum(await countsOf(page, 'heavy')), 2)
    })
    return `${before} reports before ten light ones`
  }))

test('the chat lives in one worker, which the picture marks', () =>
  withPage(async (page) => {
    const [, slot] = (await page.textContent('#state'))?.match(/worker (\d), websocket/) ?? []
    await page.fill('#text', 'all aboard')
    await page.press('#text', 'Enter')
    const entry = page.locator('#log li')
    await entry.waitFor()
    assert.match((await entry.textContent()) ?? '', new RegExp(`^Ada\\s*worker ${slot}\\s*all aboard$`))
    assert.is(await page.locator('#yard g.home').getAttribute('data-worker'), `web/${slot}`)
  }))

/** Runs in the page: its width, the smallest text of the picture, and the heights of the buttons, all in CSS pixels. */
const MEASURE = `({
  widest: document.documentElement.scrollWidth,
  smallest: Math.min(...[...document.querySelectorAll('#yard text')].map((text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)),
  buttons: [...document.querySelectorAll('button')].map((button) => button.getBoundingClientRect().height),
})`

for (const width of [390, 320]) {
  test(`on a phone of ${width} px: nothing is wider than the screen, and what is written can be read`, () =>
    withPage(async (page) => {
      await page.click('#light')
      await page.fill('#text', 'a word that is longer than any line: '.padEnd(200, 'x'))
      await page.press('#text', 'Enter')
      await page.locator('#log li').waitFor()
      const { widest, smallest, buttons } = (await page.evaluate(MEASURE)) as { widest: number; smallest: number; buttons: number[] }
      assert.is(widest, width)
      assert.ok(smallest >= 9.5, `the smallest text has ${smallest} px`)
      assert.ok(Math.min(...buttons) >= 44, `buttons have ${buttons} px`)
      await page.setViewportSize({ width: 1280, height: 844 })
      await until(async () => (await page.getAttribute('#yard', 'viewBox')) === '0 0 800 440', 5_000, 'the wide picture')
    }, width))
}

/** In the page: the answers to requests that are all under way at once. Each is listed once. */
const ASK = `Promise.all(Array.from({ length: ${REQUESTS} }, async (_, number) => {
  const response = await fetch('/light?number=' + number)
  return response.status + ' ' + (await response.json()).pool
}))`
/** In the page: the path and protocol of everything that was loaded. */
const LOADED = `performance.getEntries()
  .filter(({ nextHopProtocol, name }) => nextHopProtocol !== undefined && !name.includes('/socket.io/?'))
  .map(({ name, nextHopProtocol }) => new URL(name).pathname + new URL(name).search + ' ' + nextHopProtocol)`

async function openSecurePage(faults: string[]): Promise<Page> {
  const page = await browser.newPage({ ignoreHTTPSErrors: true })
  page.setDefaultTimeout(patience(15_000))
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
  await page.addInitScript('performance.setResourceTimingBufferSize(1000)')
  await page.goto(secureUrl)
  return page
}

test('over HTTPS: Chromium loads the page over HTTP/2, and 200 requests at the same time', async () => {
  const faults: string[] = []
  const page = await openSecurePage(faults)
  assert.equal([...new Set((await page.evaluate(ASK)) as string[])], ['200 web'])
  const asked = Array.from({ length: REQUESTS }, (_, number) => `/light?number=${number} h2`)
  const parts = ['/', '/style.css', '/page.js', '/yard.js', '/workers', '/socket.io/socket.io.js'].map((path) => `${path} h2`)
  const loaded = await until(async () => {
    const found = (await page.evaluate(LOADED)) as string[]
    return found.length >= asked.length + parts.length ? found : undefined
  })
  assert.equal(loaded.sort(), [...asked, ...parts].sort())
  await page.locator('#state', { hasText: /worker \d, websocket/ }).waitFor()
  assert.ok(await page.locator('#protocol').isVisible())
  assert.is(await page.textContent('#fault-count'), '0')
  assert.equal(faults, [])
  await page.close()
})

test('over HTTPS: reports find the pool of their own, and the chat works', async () => {
  const faults: string[] = []
  const page = await openSecurePage(faults)
  await page.locator('#state', { hasText: /worker \d, websocket/ }).waitFor()
  await page.evaluate("fetch('/reports/1?ms=20').then((response) => response.json())").then((answer) => {
    assert.is((answer as { pool: string }).pool, 'heavy')
  })
  await page.fill('#text', 'all aboard')
  await page.press('#text', 'Enter')
  await page.locator('#log li', { hasText: 'all aboard' }).waitFor()
  assert.equal(faults, [])
  await page.close()
})

test.run()
