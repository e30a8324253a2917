// What the README promises: TLS by name, a redirect, Strict-Transport-Security, challenges, and certificates that come while it runs.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { until } from '../../../../test/support/until.ts'
import { ask, type RunningExample, startExample } from '../../test-support/start.ts'

const test = suite('example https', { timeoutMs: 20_000 })
const certificates = mkdtempSync(join(tmpdir(), 'example-https-'))
atSuiteEnd(() => rmSync(certificates, { recursive: true }))
const webroot = fileURLToPath(new URL('../webroot', import.meta.url))
atSuiteEnd(() => rmSync(webroot, { recursive: true, force: true }))
let example: RunningExample
let port: number

/** As in the README. */
function makeCertificate(file: string, name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30']
  const files = ['-keyout', join(certificates, `${file}.key`), '-out', join(certificates, `${file}.crt`)]
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, ...files], { stdio: 'ignore' })
}

/** The name in the certificate, a header field, and the body. */
function askSecurely(servername: string): Promise<{ name: string; hsts: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, servername, rejectUnauthorized: false, agent: false }, (response) => {
      const name = (response.socket as TLSSocket).getPeerCertificate().subject.CN as string
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () => resolve({ name, hsts: response.headers['strict-transport-security'], body }))
    }).on('error', reject)
  })
}

test.before(async () => {
  makeCertificate('localhost', 'localhost')
  port = await freePort()
  const env = { HTTP_PORT: '0', HTTPS_PORT: String(port), CERTIFICATES: certificates }
  example = await startExample('https', { workers: 2, args: [], env })
})
test.after(() => example.stop())

test('the app is served over TLS, and sees it', async () => {
  const { name, hsts, body } = await askSecurely('localhost')
  assert.equal([name, hsts], ['localhost', 'max-age=31536000'])
  assert.match(body, /^pid \d+, TLSv1\.3, asked for localhost\n$/)
})

test('plain requests are redirected', async () => {
  const { status, headers } = await ask(example, '/a?b=c', { headers: { host: 'localhost' } })
  assert.equal([status, headers.location], [308, `https://localhost:${port}/a?b=c`])
})

test('challenges are answered', async () => {
  mkdirSync(join(webroot, '.well-known/acme-challenge'), { recursive: true })
  writeFileSync(join(webroot, '.well-known/acme-challenge/token'), 'token.thumbprint')
  assert.is((await ask(example, '/.well-known/acme-challenge/token')).text, 'token.thumbprint')
})

test('certificates come and change while it runs, and a broken one changes nothing', async () => {
  const untilNamed = (servername: string, name: string) =>
    until(async () => (await askSecurely(servername)).name === name || undefined, 10_000, `${name} for ${servername}`)
  makeCertificate('other', 'other.example')
  await untilNamed('other.example', 'other.example')
  makeCertificate('localhost', 'renewed.example')
  await untilNamed('unknown.example', 'renewed.example')
  writeFileSync(join(certificates, 'localhost.crt'), 'broken')
  await example.child.untilOutput(/changed certificates of [^"]* are not used, and the ones from before stay/, 15_000)
  assert.is((await askSecurely('renewed.example')).name, 'renewed.example')
})

test.run()
