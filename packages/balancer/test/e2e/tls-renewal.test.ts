// Certificates that are renewed while clients connect, and what outlives a reload and an upgrade.

import { copyFileSync, mkdirSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { type MadeCertificate, makeCertificate } from '../support/certificate-maker.ts'
import { runSwaps } from './support/certificate-swaps.ts'
import { runCommand } from './support/commands.ts'
import { movesConnections, temporaryFolder } from './support/running-balancer.ts'
import { TlsClient } from './support/tls-client.ts'
import { startUpgradable, upgrade } from './support/upgradable-balancer.ts'

const test = suite('renewed certificates', { timeoutMs: 60_000 })
const folder = temporaryFolder()
const versions = Array.from({ length: 4 }, (_, index) =>
  makeCertificate(folder, `v${index}`, { names: [`v${index}.example`, 'site.example'] }),
)
const live = join(folder, 'live')
const archive = join(folder, 'archive')

/** As certbot does: new files in the archive, and then the links one after the other. */
function renew({ cert, key }: MadeCertificate, version: number): void {
  for (const [name, from] of [
    ['privkey', key],
    ['fullchain', cert],
  ] as const) {
    copyFileSync(from, join(archive, `${name}${version}.pem`))
    const link = join(live, 'site.example', `${name}.pem`)
    symlinkSync(`../../archive/${name}${version}.pem`, `${link}.new`)
    renameSync(`${link}.new`, link)
  }
}

test('new handshakes get the renewed certificate, open connections stay, and a reload and an upgrade keep it', async () => {
  mkdirSync(archive)
  mkdirSync(join(live, 'site.example'), { recursive: true })
  const [first, second, third] = versions as [MadeCertificate, MadeCertificate, MadeCertificate]
  renew(first, 1)
  const balancer = await startUpgradable({
    config: {
      app: 'plain-app.mjs',
      pools: { web: { workers: 2 } },
      listen: { host: '127.0.0.1', port: 0, tls: { folder: live } },
    },
  })
  const { port } = balancer
  const served = async (servername = '') => {
    const client = await TlsClient.open(port, { servername })
    await client.get('/')
    const { serverName } = client
    client.destroy()
    return serverName
  }
  const untilServed = (name: string) =>
    until(
      async () => {
        const names = [await served(), await served('site.example'), await served(), await served('site.example')]
        return names.every((one) => one === name) || undefined
      },
      10_000,
      name,
    )
  await untilServed('v0.example')
  const kept = await TlsClient.open(port)
  await kept.get('/')

  renew(second, 2)
  await untilServed('v1.example')
  const lines = balancer.lines.filter(({ msg }) => msg.includes('get the certificate in'))
  assert.is(lines.length, 1, 'the log says it once')
  assert.is((await kept.get('/')).status, 200, 'the open connection goes on')
  assert.is(kept.serverName, 'v0.example')

  // The certificate of one, and the key of another: nothing changes until the pair is whole.
  copyFileSync(third.cert, join(archive, 'fullchain2.pem'))
  assert.is(await served(), 'v1.example')
  copyFileSync(third.key, join(archive, 'privkey2.pem'))
  await untilServed('v2.example')

  // Another name is added beside it.
  mkdirSync(join(live, 'other.example'))
  const other = makeCertificate(folder, 'other', { names: ['other.example'] })
  copyFileSync(other.key, join(live, 'other.example/privkey.pem'))
  copyFileSync(other.cert, join(live, 'other.example/fullchain.pem'))
  await until(async () => (await served('other.example')) === 'other.example' || undefined, 10_000, 'the new name')

  const reloaded = await runCommand(balancer, ['reload'])
  assert.is(reloaded.code, 0, reloaded.err)
  assert.is(await served('site.example'), 'v2.example')

  if (movesConnections) {
    await upgrade(balancer)
    assert.is(await served('site.example'), 'v2.example')
    renew(first, 4)
    await until(async () => (await served('site.example')) === 'v0.example' || undefined, 10_000, 'a renewal after the upgrade')
  }
  kept.destroy()
})

test('certificates that are swapped under load fail no handshake and no request', async () => {
  const { handshakes, requests, failures, served } = await runSwaps({ swaps: 60, everyMs: 40 })
  assert.equal(failures, [])
  assert.ok(handshakes > 50 && requests > 50, `${handshakes} handshakes, ${requests} requests`)
  assert.ok(served.size > 1, [...served].join(' '))
})

test.run()
