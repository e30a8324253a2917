// Load from pages in Chromium: one fetches without a pause, on another links and buttons are clicked.

import type { Browser, Page } from 'playwright-core'
import { patience } from '../../../../../test/support/patience.ts'
import type { LoadRun } from './http-load.ts'

/** Fetches of one call. The run can end only between two calls. */
const FETCHES = 12
const AT_ONCE = 6
/** A browser uses much CPU. Without these pauses it would starve the other processes of the test. */
const FETCH_REST_MS = 500
const CLICK_REST_MS = 1_500
const POLL_MS = 250

/** Fetches with GET and POST until the run is over. Never rejects. */
export async function fetchInPage(run: LoadRun, browser: Browser): Promise<void> {
  const page = await openPage(run, browser)
  try {
    await page.goto(`${originOf(run)}/page`)
    while (!run.isOver()) {
      const { answered, faults } = await page.evaluate(
        async ({ count, atOnce, restMs }) => {
          const found: string[] = []
          let next = 0
          let answered = 0
          // No named functions: esbuild would wrap them in a helper that the page does not have.
          const clients = Array.from({ length: atOnce }, async () => {
            while (next < count) {
              const number = next++
              const url = number % 5 === 0 ? `/key/?key=${number}` : number % 7 === 0 ? '/heavy/' : '/'
              const body = 'x'.repeat(number * 100)
              const answer = await fetch(url, number % 3 === 0 ? { method: 'POST', body } : {}).catch(String)
              if (typeof answer === 'string') found.push(`${url}: ${answer}`)
              else if (answer.status !== 200) found.push(`${url}: ${answer.status}`)
              else if ((await answer.text()).length !== (number % 3 === 0 ? 64 : 2)) found.push(`${url}: a wrong body`)
              else answered++
              await new Promise((resolve) => setTimeout(resolve, restMs))
            }
          })
          await Promise.all(clients)
          return { answered, faults: found }
        },
        { count: FETCHES, atOnce: AT_ONCE, restMs: FETCH_REST_MS },
      )
      run.tally.count('Chromium fetches', answered)
      for (const fault of faults) run.tally.fault('Chromium fetch', fault)
    }
  } catch (error) {
    run.tally.fault('Chromium', (error as Error).message)
  }
}

/** Clicks in turn on a link, a form and a button that uses socket.io, until the run is over. Never rejects. */
export async function clickInPage(run: LoadRun, browser: Browser): Promise<void> {
  const page = await openPage(run, browser)
  try {
    await page.goto(`${originOf(run)}/page`)
    while (!run.isOver()) {
      for (const button of ['#next', '#send']) {
        // The new page does not have this id.
        await page.evaluate('document.body.id = "old"')
        await page.click(button)
        await untilTrue(page, 'document.querySelector("body:not(#old) #say")')
        run.tally.count('Chromium pages')
        await page.waitForTimeout(CLICK_REST_MS)
      }
      await page.click('#say')
      await untilTrue(page, 'said.textContent === "heard"')
      run.tally.count('Chromium messages')
    }
  } catch (error) {
    run.tally.fault('Chromium', (error as Error).message)
  }
}

/** Polls instead of checking at every frame, as Playwright's locators do: 60 frames a second take a third of a core. */
async function untilTrue(page: Page, expression: string): Promise<void> {
  await page.waitForFunction(expression, undefined, { polling: POLL_MS })
}

async function openPage({ tally }: LoadRun, browser: Browser): Promise<Page> {
  const context = await browser.newContext()
  const page = await context.newPage()
  page.setDefaultTimeout(patience(10_000))
  page.on('response', (response) => {
    if (response.status() >= 400) tally.fault(`status ${response.status()}`, `Chromium: ${response.request().method()} ${response.url()}`)
  })
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText
    // Navigation aborts the requests of the old page.
    if (why !== 'net::ERR_ABORTED') tally.fault('Chromium request', `${request.method()} ${request.url()}: ${why}`)
  })
  return page
}

function originOf({ target }: LoadRun): string {
  return `http://127.0.0.1:${target.port}`
}
