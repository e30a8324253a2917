// What the README promises: HTTP/2 and HTTP/1.1 on one port, in curl's and in a browser's way, and one connection that reaches every worker.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { type ClientHttp2Session, connect } from 'node:http2'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { openBrowser } from '../../../../test/support/browser.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { distinct, type RunningExample, startExample } from '../../test-support/start.ts'

const test = suite('example http2', { timeoutMs: 40_000 })
const certificates = mkdtempSync(join(tmpdir(), 'example-http2-'))
atSuiteEnd(() => rmSync(certificates, { recursive: true }))
let example: RunningExample
let session: ClientHttp2Session
let port: number

interface Answer {
  readonly pid: number
  readonly sum?: number
  readonly isHttp2?: boolean
  readonly secure?: boolean
}

async function ask(path: string, body?: string): Promise<Answer> {
  const stream = session.request({ ':path': path, ...(body !== undefined && { ':method': 'POST', 'content-type': 'application/json' }) })
  let text = ''
  stream.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  stream.end(body)
  await untilEvent(stream, 'end', 10_000)
  return JSON.parse(text) as Answer
}

test.before(async () => {
  const files = ['-keyout', join(certificates, 'localhost.key'), '-out', join(certificates, 'localhost.crt')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, ...files], { stdio: 'ignore' })
  port = await freePort()
  example = await startExample('http2', { workers: 3, args: [], env: { PORT: String(port), CERTIFICATES: certificates } })
  session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  session.on('error', () => {})
})
test.after(async () => {
  session.close()
  await example.stop()
})

test('the app is served over HTTP/2, and over HTTP/1.1 on the same port', async () => {
  const { isHttp2, secure } = await ask('/reports/today')
  assert.equal([isHttp2, secure], [true, true])
  assert.is((await ask('/sum', '[1, 2, 3]')).sum, 6)
  const old = await new Promise<string>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/reports/today', rejectUnauthorized: false, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', resolve)
    }).on('error', reject)
  })
  assert.is((JSON.parse(old) as Answer).isHttp2, false)
})

test('one connection reaches every worker', async () => {
  const reports = await ask('/reports/today')
  const busy = await Promise.all(Array.from({ length: 10 }, () => ask('/busy')))
  const pids = distinct(busy.map(({ pid }) => pid))
  assert.is(pids.length, 2)
  assert.not(pids.includes(reports.pid))
})

test('a browser loads 200 tiles over HTTP/2 and opens a websocket', async () => {
  const browser = await openBrowser()
  try {
    const page = await browser.newPage({ ignoreHTTPSErrors: true })
    const faults: string[] = []
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
    page.on('pageerror', (error) => faults.push(String(error)))
    await page.goto(`https://127.0.0.1:${port}/`)
    const text = (id: string) => page.locator(id).textContent()
    assert.is(await until(() => text('#tiles'), 20_000, 'tiles'), '200 tiles over h2, 0 wrong')
    assert.is(await until(() => text('#socket'), 10_000, 'an echo'), 'echo: hello')
    assert.equal(faults, [])
  } finally {
    await browser.close()
  }
})

test.run()
