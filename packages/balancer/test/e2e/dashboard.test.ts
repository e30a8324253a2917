// The dashboard in Chromium: numbers, marks, buttons, other sites that try to use it, and how it looks to a screen reader and on a phone.

import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { openBrowser } from '../../../../test/support/browser.ts'
import { patience } from '../../../../test/support/patience.ts'
import { until } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('dashboard in a browser', { timeoutMs: 40_000 })
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
let balancer: RunningBalancer
let browser: Browser
let url: string

test.before(async () => {
  const app = 'slot-app.mjs'
  const config = { pools: { web: { app, workers: 2 }, api: { app, workers: 1 } }, routes: [{ path: '/api/*', pool: 'api' }] }
  ;[balancer, browser] = await Promise.all([startBalancer({ config }), openBrowser()])
  await balancer.untilAllReady()
  url = new URL('/', String(balancer.lines.find(({ msg }) => msg.startsWith('ready:'))?.metrics)).href
})
test.after(() => browser.close())

/** A link with the right to act, as the command prints it. */
async function link(): Promise<string> {
  const { code, out } = await runCommand(balancer, ['dashboard'])
  assert.is(code, 0)
  return out.trim()
}

/** Fails on any error in the console or of a script, and on any answer that is one. */
async function withPage(at: string, options: BrowserContextOptions, body: (page: Page) => Promise<void>): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  try {
    const page = await context.newPage()
    page.setDefaultTimeout(patience(15_000))
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(error.message))
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && errors.push(message.text()))
    page.on('response', (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`))
    await page.goto(at)
    await page.locator('#health').waitFor()
    await body(page)
    assert.equal(errors, [])
  } finally {
    await context.close()
  }
}

async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.textContent(selector)) ?? ''
}

/** Sends requests one after the other until the returned function is called. */
function load(): () => Promise<void> {
  let isOver = false
  const done = (async () => {
    while (!isOver)
      await fetch(`http://127.0.0.1:${balancer.port}/`).then(
        (response) => response.text(),
        () => {},
      )
  })()
  return async () => {
    isOver = true
    await done
  }
}

test('anyone on this machine may read: the sentence, and numbers that move under load', () =>
  withPage(url, {}, async (page) => {
    assert.match(await textOf(page, '.sentence'), 'All 3 workers are ready')
    assert.is(await page.locator('button').count(), 0)
    assert.match(await textOf(page, '.rights'), 'balancer dashboard')
    const stop = load()
    try {
      await until(async () => Number((await textOf(page, '#requests')).replace(',', '')) > 5, 15_000, 'a rate')
      await page.locator('canvas[aria-label*="last 2 s"]').first().waitFor()
    } finally {
      await stop()
    }
  }))

test('a kill and a reload show as marks', () =>
  withPage(url, {}, async (page) => {
    const { pools } = await balancer.untilAllReady()
    const victim = pools.find(({ name }) => name === 'web')?.workers[1]?.pid as number
    process.kill(victim, 'SIGKILL')
    await page.locator('.marks li', { hasText: 'web/1 was ended by SIGKILL' }).waitFor()
    await balancer.untilAllReady()
    assert.is((await runCommand(balancer, ['reload', 'web'])).code, 0)
    await page.locator('.marks li', { hasText: /reload: / }).waitFor()
    await page.locator('figure canvas').first().waitFor()
    assert.is(await page.locator('figure canvas').count(), 4)
  }))

test('a worker whose process does not run is no good health', () =>
  withPage(url, {}, async (page) => {
    const { pools } = await balancer.untilAllReady()
    const victim = pools.find(({ name }) => name === 'api')?.workers[0]?.pid as number
    process.kill(victim, 'SIGSTOP')
    try {
      await page.locator('.sentence', { hasText: 'api/0 does not answer' }).waitFor()
      assert.match((await runCommand(balancer, ['status'])).out, /^! api\/0 does not answer: its event loop has not turned for /m)
    } finally {
      process.kill(victim, 'SIGCONT')
    }
    await page.locator('.sentence', { hasText: 'All 3 workers are ready' }).waitFor()
  }))

test('a worker is drained and brought back by buttons, with the keyboard alone', async () => {
  await balancer.untilAllReady()
  await withPage(await link(), {}, async (page) => {
    assert.is(new URL(page.url()).hash, '')
    const press = async (name: string, key = 'Enter'): Promise<void> => {
      await page.getByRole('button', { name, exact: true }).focus()
      await page.keyboard.press(key)
    }
    await press('Drain web/1')
    await page.locator('dialog[open]').waitFor()
    await page.keyboard.press('Escape')
    await page.locator('dialog[open]').waitFor({ state: 'detached' })
    assert.is((await balancer.status()).pools.find(({ name }) => name === 'web')?.held.length, 0)
    await press('Drain web/1')
    await page.locator('dialog[open]').waitFor()
    await page.locator('dialog button', { hasText: 'Drain web/1' }).focus()
    await page.keyboard.press('Enter')
    await page.locator('tr.held', { hasText: 'web/1' }).waitFor()
    assert.match(await textOf(page, '.sentence'), /web\/1 (was taken out|is draining)/)
    await press('Restart web/1')
    await balancer.untilAllReady()
    await page.locator('.sentence', { hasText: 'All 3 workers are ready' }).waitFor()
    const lines = balancer.lines.filter(({ msg }) => msg.startsWith('the dashboard asks for'))
    assert.equal(
      lines.map(({ action }) => action),
      ['drain web/1', 'restart web/1'],
    )
    await press('One worker more for api')
    await balancer.untilStatus(({ pools }) => pools.find(({ name }) => name === 'api')?.ready === 2, 'two workers')
    await press('One worker fewer for api')
    await balancer.untilAllReady()
    // The session outlives a reload of the page, and ends with its button.
    await page.reload()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.locator('.rights', { hasText: 'Read only' }).waitFor()
  })
})

test('a link works once, also in a tab that shows the page already', async () => {
  const at = await link()
  await withPage(url, {}, async (page) => {
    await page.goto(at)
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
  })
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    await page.goto(at)
    await page.locator('.notice.bad', { hasText: 'used already' }).waitFor({ timeout: patience(15_000) })
    assert.is(await page.locator('.actions button').count(), 0)
  } finally {
    await context.close()
  }
})

/** A page of the app, or of an attacker, on another port of the same host: cookies with SameSite=Strict are sent from here. */
async function otherSite(): Promise<string> {
  const script = `
    const admin = ${JSON.stringify(url)}
    const tried = []
    const attempt = async (name, run) => { try { tried.push(name + ': ' + await run()) } catch (error) { tried.push(name + ': failed') } }
    const body = JSON.stringify({ pool: 'web', slot: 0 })
    const json = { 'Content-Type': 'application/json' }
    ;(async () => {
      await attempt('read', async () => (await fetch(admin + 'dashboard/live', { credentials: 'include' })).status)
      await attempt('act', async () => (await fetch(admin + 'dashboard/act/drain', { method: 'POST', credentials: 'include', headers: json, body })).status)
      await attempt('act without cors', async () => (await fetch(admin + 'dashboard/act/drain', { method: 'POST', mode: 'no-cors', credentials: 'include', body })).type)
      await attempt('script', () => new Promise((resolve, reject) => { const script = document.createElement('script'); script.src = admin + 'dashboard/main.js'; script.onload = resolve; script.onerror = reject; document.body.append(script) }))
      await attempt('frame', () => new Promise((resolve, reject) => { const frame = document.createElement('iframe'); frame.src = admin; frame.onload = () => { try { resolve(frame.contentDocument.title) } catch (error) { reject(error) } }; document.body.append(frame) }))
      const source = new EventSource(admin + 'dashboard/live', { withCredentials: true })
      await attempt('stream', () => new Promise((resolve, reject) => { source.onopen = resolve; source.onerror = reject }))
      source.close()
      document.title = tried.join(', ')
    })()`
  const form = `<form action="${url}dashboard/act/drain" method="post" enctype="text/plain"><input name='{"pool":"web","slot":0,"x":"' value='"}'></form>`
  const server: Server = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end(request.url === '/form' ? `${form}<script>document.forms[0].submit()</script>` : `<body><script>${script}</script></body>`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atSuiteEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test('a page on another port can neither read nor act, though the browser has a session', async () => {
  const other = await otherSite()
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    page.setDefaultTimeout(patience(15_000))
    await page.goto(await link())
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
    await page.goto(other)
    await page.waitForFunction("document.title !== ''")
    assert.is(
      await page.title(),
      ['read: failed', 'act: failed', 'act without cors: failed', 'script: failed', 'frame: failed', 'stream: failed'].join(', '),
    )
    await page.goto(`${other}form`)
    await page.waitForURL('**/dashboard/act/drain')
    assert.match(await textOf(page, 'body'), 'another origin')
    const { pools } = await balancer.status()
    assert.equal(
      pools.map(({ held }) => held),
      [[], []],
    )
  } finally {
    await context.close()
  }
})

test('axe finds nothing serious, light and dark, and nothing is wider than the window from 390 to 1,600 px', async () => {
  await balancer.untilAllReady()
  await withPage(await link(), {}, async (page) => {
    await page.locator('figure canvas').first().waitFor()
    await page.evaluate(axe)
    for (const width of [390, 600, 768, 901, 1024, 1280, 1600]) {
      await page.setViewportSize({ width, height: 900 })
      await until(async () => Number(await page.evaluate('document.documentElement.scrollWidth')) <= width, 5_000, `a page of ${width} px`)
      if (width !== 390 && width !== 1280) continue
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        const found = await page.evaluate(async () => {
          const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run()
          return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`)
        })
        assert.equal(
          found.filter((line) => /^(serious|critical)/.test(line)),
          [],
          `${width} px, ${colorScheme}`,
        )
      }
    }
  })
})

interface Axe {
  run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }>
}

test('a page outlives a balancer that goes away, and says so', async () => {
  const own = await startBalancer({ config: { pools: { web: { app: 'slot-app.mjs', workers: 1 } } } })
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    page.setDefaultTimeout(patience(15_000))
    await page.goto(new URL('/', String(own.lines.find(({ msg }) => msg.startsWith('ready:'))?.metrics)).href)
    await page.locator('#health', { hasText: 'Healthy' }).waitFor()
    assert.is(await own.stop(), 0)
    await page.locator('#health', { hasText: 'Connection lost' }).waitFor()
  } finally {
    await context.close()
  }
})

test.run()
