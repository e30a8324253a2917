// Options of TLS listeners that a reload changes, while the listener and its connections stay.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get } from './support/raw-client.ts'
import { portOf, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { TlsClient } from './support/tls-client.ts'

const test = suite('reloads of TLS options', { timeoutMs: 60_000 })
const folder = temporaryFolder()
const first = makeCertificate(folder, 'first', { names: ['first.example'] })
const second = makeCertificate(folder, 'second', { names: ['second.example'] })
const authority = makeCertificate(folder, 'authority', { isAuthority: true, subject: '/CN=Clients' })

test('certificates, versions, client certificates, HSTS, HTTP/2 and redirects change, under load and without a failed request', async () => {
  const local = { host: '127.0.0.1', port: 0 }
  const configFor = (tls: object, more: object = {}, redirectToHttps: object = { port: 8443 }) => ({
    app: 'plain-app.mjs',
    pools: { web: { workers: 2, reload: { settleMs: 300 } } },
    listen: [
      { ...local, redirectToHttps },
      { ...local, tls, ...more },
    ],
  })
  const balancer = await startBalancer({ config: configFor({ ...first }) })
  await balancer.untilAllReady()
  const [plain, secure] = balancer.addresses.map(portOf) as [number, number]
  const seen = async (options: ConnectionOptions = {}) => {
    const client = await TlsClient.open(secure, options)
    const { headers, status } = await client.get('/')
    const { serverName, socket } = client
    const version = socket.getProtocol()
    client.destroy()
    return { status, serverName, version, hsts: headers.get('strict-transport-security') }
  }
  const redirected = async () => (await exchange(plain, get('/'))).headers.get('location')?.[0] ?? ''
  assert.equal(await seen({ maxVersion: 'TLSv1.2' }), { status: 200, serverName: 'first.example', version: 'TLSv1.2', hsts: undefined })
  assert.match(await redirected(), /:8443\/$/)
  const kept = await TlsClient.open(secure)
  await kept.get('/')

  let isOver = false
  let served = 0
  const load = (async () => {
    while (!isOver) {
      assert.is((await seen()).status, 200)
      served++
    }
  })()
  balancer.configure(configFor({ ...second, preset: 'modern', hsts: 3600 }, { http2: true }, { port: 9443 }))
  const reloaded = await runCommand(balancer, ['reload'])
  assert.is(reloaded.code, 0, reloaded.err)
  isOver = true
  await load
  assert.ok(served > 0)
  assert.equal(await seen(), { status: 200, serverName: 'second.example', version: 'TLSv1.3', hsts: 'max-age=3600' })
  const old = await TlsClient.open(secure, { maxVersion: 'TLSv1.2' }).catch((error: Error) => error)
  assert.instance(old, Error)
  const h2 = await TlsClient.open(secure, { ALPNProtocols: ['h2'] })
  assert.is(h2.socket.alpnProtocol, 'h2')
  h2.destroy()
  assert.match(await redirected(), /:9443\/$/)
  kept.destroy()

  // Client certificates.
  balancer.configure(configFor({ ...second, mutual: { ca: authority.cert } }))
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
  const refused = await seen({ maxVersion: 'TLSv1.2' }).catch((error: Error) => error)
  assert.instance(refused, Error)

  // Back again, also from what no config names any more.
  assert.is((await runCommand(balancer, ['rollback'])).code, 0)
  assert.is((await seen()).hsts, 'max-age=3600')
  assert.is(await balancer.stop(), 0)
})

test('a reload that fails leaves the options as they are, and renewals go on', async () => {
  const live = join(folder, 'live')
  mkdirSync(live)
  const site = makeCertificate(live, 'site', { names: ['old.example'] })
  const config = { app: 'plain-app.mjs', pools: { web: { workers: 1, reload: { settleMs: 300 } } } }
  const local = { host: '127.0.0.1', port: 0 }
  const balancer = await startBalancer({ config: { ...config, listen: { ...local, tls: site } } })
  const served = async () => {
    const client = await TlsClient.open(balancer.port)
    await client.get('/')
    const { serverName } = client
    client.destroy()
    return serverName
  }

  // A missing file, and an app that fails to start.
  balancer.configure({ ...config, listen: { ...local, tls: { ...second, key: join(folder, 'missing.key') } } })
  const missing = await runCommand(balancer, ['reload'])
  assert.is(missing.code, 2)
  assert.match(missing.err, 'missing.key')
  const env = { FAIL: '1' }
  balancer.configure({ ...config, pools: { web: { workers: 1, execArgv: ['--no-such-option'], env } }, listen: { ...local, tls: second } })
  assert.is((await runCommand(balancer, ['reload'])).code, 6)
  assert.is(await served(), 'old.example')
  makeCertificate(live, 'site', { names: ['new.example'] })
  await until(async () => (await served()) === 'new.example', 15_000, 'the renewed certificate')

  // What can't change says so, with the reason.
  balancer.configure({ ...config, listen: { ...local, backlog: 7 } })
  const fixed = await runCommand(balancer, ['reload'])
  assert.is(fixed.code, 2)
  assert.match(fixed.err, "listen.backlog: can't change in a reload: the primary reads it when it opens the address")
  assert.match(fixed.err, "listen.tls: can't be turned on or off in a reload: old and new workers serve side by side")
  assert.is(await balancer.stop(), 0)
})

test.run()
