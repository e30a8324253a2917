// socket.io behind HTTP/2 that ends in the workers: in Chromium over one HTTP/2 connection, and a client for Node over HTTP/1.1 beside it.

import type { Browser, Page } from 'playwright-core'
import { io } from 'socket.io-client'
import { assert, suite } from '../../../../test/suite.ts'
import { openBrowser } from '../../../../test/support/browser.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { portOf, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('socket.io over HTTP/2', { timeoutMs: 60_000 })
const folder = temporaryFolder()
const WAYS = [['websocket'], ['polling'], ['polling', 'websocket']] as const

interface Where {
  readonly slot: number
  readonly transport: string
  readonly protocol: string
}

let url: string
let browser: Browser

test.before(async () => {
  const balancer = await startBalancer({
    config: {
      app: 'http2-socket-io-app.mjs',
      pools: { web: { workers: 2 } },
      routes: [{ path: '/socket.io/*', policy: { sticky: { by: 'ticket' } } }],
      listen: { host: '127.0.0.1', port: 0, tls: makeCertificate(folder, 'site', { names: ['localhost'] }), http2: true },
    },
  })
  url = `https://127.0.0.1:${portOf(balancer.addresses[0] as string)}`
  await balancer.untilAllReady()
  browser = await openBrowser()
})
test.after(() => browser?.close())

/** Connects in the page, and asks five times. Runs in the browser. */
async function ask(page: Page, transports: readonly string[]): Promise<{ answers: Where[]; echo: number[] }> {
  const run = async (ways: readonly string[]) => {
    const { io: open } = globalThis as unknown as {
      io: (options: object) => { emitWithAck(...values: unknown[]): Promise<unknown> } & object
    }
    const socket = open({ transports: ways, forceNew: true }) as ReturnType<typeof open> & {
      readonly io: { readonly engine: { readonly transport: { readonly name: string } } }
      disconnect(): void
    }
    const answers: unknown[] = []
    const last = ways[ways.length - 1]
    for (let turn = 0; turn < 200 && (turn < 5 || (answers[answers.length - 1] as { transport: string }).transport !== last); turn++) {
      answers.push(await socket.emitWithAck('where'))
    }
    const echo = (await socket.emitWithAck('echo', new Uint8Array([1, 2, 255]))) as ArrayBuffer
    socket.disconnect()
    return { answers, echo: [...new Uint8Array(echo)] }
  }
  return (await page.evaluate(run as never, transports as never)) as { answers: Where[]; echo: number[] }
}

for (const transports of WAYS) {
  test(`Chromium: ${transports.join(', then ')}`, async () => {
    const page = await browser.newPage({ ignoreHTTPSErrors: true })
    const faults: string[] = []
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
    page.on('pageerror', (error) => faults.push(String(error)))
    await page.goto(url)
    const { answers, echo } = await ask(page, transports)
    assert.is(new Set(answers.map(({ slot }) => slot)).size, 1)
    assert.equal([...new Set(answers.map(({ transport }) => transport))].pop(), transports[transports.length - 1])
    assert.equal([...new Set(answers.map(({ protocol }) => protocol))], ['h2'])
    assert.equal(echo, [1, 2, 255])
    assert.equal(faults, [])
    await page.close()
  })

  test(`Node, over HTTP/1.1: ${transports.join(', then ')}`, async () => {
    const socket = io(url, { transports: [...transports], rejectUnauthorized: false, forceNew: true })
    await untilEvent(socket as never, 'connect')
    const where = (await socket.emitWithAck('where')) as Where
    assert.not.equal(where.protocol, 'h2')
    socket.disconnect()
  })
}

test.run()
