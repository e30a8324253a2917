// Upstream servers on the dashboard, in Chromium: what they do, and the buttons that take one out of service and bring it back.

import type { Browser } from 'playwright-core'
import { assert, suite } from '../../../../test/suite.ts'
import { openBrowser } from '../../../../test/support/browser.ts'
import { patience } from '../../../../test/support/patience.ts'
import { RecordingServer } from '../../../../test/support/recording-server.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'
import { urlOf } from './support/upstream-pools.ts'

const test = suite('upstream servers on the dashboard', { timeoutMs: 40_000 })
let balancer: RunningBalancer
let browser: Browser
let server: RecordingServer

test.before(async () => {
  server = await RecordingServer.start()
  const other = await RecordingServer.start()
  const config = { pools: { legacy: { workers: 1, upstream: [urlOf(server.port), urlOf(other.port)] } } }
  ;[balancer, browser] = await Promise.all([startBalancer({ config }), openBrowser()])
  await balancer.untilAllReady()
})
test.after(async () => {
  await browser.close()
  assert.is(await balancer.stop(), 0)
})

test('a server is drained and brought back by its buttons', async () => {
  const errors: string[] = []
  const page = await browser.newPage()
  page.setDefaultTimeout(patience(15_000))
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && errors.push(message.text()))
  const { out } = await runCommand(balancer, ['dashboard'])
  await page.goto(out.trim())
  const row = page.locator('#workers tr', { hasText: 'legacy/0' })
  await row.waitFor()
  assert.match((await row.textContent()) ?? '', new RegExp(urlOf(server.port)))
  await page.getByText('legacy/proxy/0').first().waitFor()
  await page.getByRole('button', { name: 'Drain legacy/0' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Drain legacy/0' }).click()
  await row.getByText('out of service').waitFor()
  server.clear()
  for (let count = 0; count < 4; count++) assert.is((await exchange(balancer.port, get('/'))).status, 200)
  assert.is(server.requests.length, 0)
  await page.getByRole('button', { name: 'Put legacy/0 in service' }).click()
  await row.getByText('out of service').waitFor({ state: 'detached' })
  assert.equal(errors, [])
})

test.run()
