// The chat's page in a real browser, opened in several contexts, so that no page waits for another's connections.

import type { Browser, Page } from 'playwright-core'
import { patience } from '../../../../test/support/patience.ts'
import type { RunningExample } from '../../test-support/start.ts'
import type { ClientReport, Mode } from './chat-clients.ts'

export interface PageRun {
  readonly pages: number
  readonly roundTrips: number
  readonly transports: Mode
  readonly timeoutMs: number
}

/** The observations of one page, and the answers of the server that were errors. */
export interface PageReport extends ClientReport {
  readonly httpErrors: readonly string[]
}

/** Opens the pages at once and lets each make its round trips through its own socket. */
export function pageRun(browser: Browser, example: RunningExample, run: PageRun): Promise<PageReport[]> {
  return Promise.all(Array.from({ length: run.pages }, (_, index) => onePage(browser, example, run, index)))
}

async function onePage(browser: Browser, { url }: RunningExample, run: PageRun, index: number): Promise<PageReport> {
  const { transports, roundTrips } = run
  const timeoutMs = patience(run.timeoutMs)
  const context = await browser.newContext()
  const httpErrors: string[] = []
  try {
    const page = await context.newPage()
    page.setDefaultTimeout(timeoutMs)
    page.on('response', (response) => {
      if (response.status() < 400) return
      const about = `${response.status()} ${new URL(response.url()).pathname}`
      httpErrors.push(about)
    })
    await page.goto(`${url}/?room=page-${transports.join()}-${index}&name=page-${index}&transports=${transports.join()}`)
    await page.locator('#state', { hasText: 'your session lives in worker' }).waitFor()
    const pids = await roundTripsOf(page, roundTrips, timeoutMs)
    await page.locator('#state', { hasText: `over ${transports.at(-1)}` }).waitFor()
    // The page shows each message and the worker that answered it.
    await page.locator('#log li', { hasText: `message ${roundTrips - 1}worker` }).waitFor()
    return {
      pids,
      roundTrips,
      httpErrors,
      lastTransport: await page.evaluate('socket.io.engine.transport.name'),
      faults: await page.evaluate('faults'),
    }
  } finally {
    await context.close()
  }
}

/** Sends `count` messages, each after the answer to the last; returns the processes that answered. Runs in the page, with its own `socket`. */
function roundTripsOf(page: Page, count: number, timeoutMs: number): Promise<number[]> {
  return page.evaluate(`(async () => {
    const pids = new Set()
    for (let index = 0; index < ${count}; index++) {
      const { pid } = await socket.timeout(${timeoutMs}).emitWithAck('say', 'message ' + index)
      pids.add(pid)
    }
    return [...pids]
  })()`)
}
