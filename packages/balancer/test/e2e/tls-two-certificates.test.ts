// RSA and ECDSA certificates for one name: each client gets one that it can verify.

import { execFile } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { runCommand } from './support/commands.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { TlsClient } from './support/tls-client.ts'

const test = suite('two certificates for one name', { timeoutMs: 30_000 })
const folder = temporaryFolder()
const names = ['site.example', '*.wild.example']
const rsa = makeCertificate(folder, 'a-rsa', { names, subject: '/CN=rsa', isRsa: true })
makeCertificate(folder, 'b-ecdsa', { names, subject: '/CN=ecdsa' })
// A name with one certificate alone.
makeCertificate(folder, 'c-single', { names: ['single.example'], subject: '/CN=single', isRsa: true })

let balancer: RunningBalancer

test.before(async () => {
  balancer = await startBalancer({
    config: { app: 'plain-app.mjs', pools: { web: { workers: 1 } }, listen: { host: '127.0.0.1', port: 0, tls: { folder } } },
  })
})

test.after(async () => assert.is(await balancer.stop(), 0))

async function served(options: ConnectionOptions): Promise<string> {
  const client = await TlsClient.open(balancer.port, options)
  const { serverName } = client
  client.destroy()
  return serverName
}

const rsaAlone: readonly ConnectionOptions[] = [
  { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' },
  { minVersion: 'TLSv1.3', sigalgs: 'rsa_pss_rsae_sha256' },
]
for (const servername of ['', 'unknown.example', 'site.example', 'SITE.example', 'a.wild.example'])
  test(`clients that ask for '${servername}'`, async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) assert.is(await served({ servername, maxVersion }), 'ecdsa', maxVersion)
    for (const options of rsaAlone) assert.is(await served({ servername, ...options }), 'rsa')
    // Also one that prefers RSA.
    assert.is(await served({ servername, sigalgs: 'rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256' }), 'ecdsa')
  })

test('sessions are resumed, and the app sees the name', async () => {
  const first = await TlsClient.open(balancer.port, { servername: 'site.example' })
  await first.get('/')
  const { session } = first
  first.destroy()
  assert.ok(session !== undefined)
  const again = await TlsClient.open(balancer.port, { servername: 'site.example', session })
  assert.is(again.socket.isSessionReused(), true)
  const { body } = await again.get('/')
  assert.is((JSON.parse(body) as { servername: string }).servername, 'site.example')
  again.destroy()
})

test('a name with one certificate', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) assert.is(await served({ servername: 'single.example', maxVersion }), 'single')
})

for (const [arguments_, expected] of [
  [['-tls1_3', '-sigalgs', 'RSA-PSS+SHA256'], 'rsa'],
  [['-tls1_3', '-sigalgs', 'ECDSA+SHA256'], 'ecdsa'],
  [['-tls1_2', '-cipher', 'ECDHE-RSA-AES256-GCM-SHA384'], 'rsa'],
  [['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES256-GCM-SHA384'], 'ecdsa'],
] as const)
  test(`openssl s_client ${arguments_.join(' ')}`, async () => {
    const connection = ['s_client', '-connect', `127.0.0.1:${balancer.port}`, '-servername', 'site.example', ...arguments_]
    const said = await new Promise<string>((resolve) => {
      const child = execFile('openssl', connection, (_error, stdout) => resolve(stdout))
      child.stdin?.end()
    })
    assert.match(said, new RegExp(`^subject=CN = ?${expected}$`, 'm'))
  })

test('the check lists both, and a renewal of one of them is used', async () => {
  const { out } = await runCommand(balancer, ['check'])
  assert.match(out, /site\.example \*\.wild\.example +RSA .*a-rsa\.crt/)
  assert.match(out, /site\.example \*\.wild\.example +ECDSA .*b-ecdsa\.crt/)
  const elsewhere = temporaryFolder()
  const renewed = makeCertificate(elsewhere, 'renewed', { names, subject: '/CN=renewed', isRsa: true })
  copyFileSync(renewed.key, rsa.key)
  copyFileSync(renewed.cert, join(folder, 'a-rsa.crt'))
  const all = async () => Promise.all(['', 'site.example'].map((servername) => served({ servername, ...rsaAlone[1] })))
  await until(async () => (await all()).every((name) => name === 'renewed'), 15_000, 'the renewed certificate')
  assert.is(await served({ servername: 'site.example' }), 'ecdsa')
})

test.run()
