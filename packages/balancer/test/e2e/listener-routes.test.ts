// Routes by listener: several apps in one balancer, each with a port or a unix socket of its own.

import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import type { PoolConfig } from '../../src/config/config.ts'
import { runCommand } from './support/commands.ts'
import { nameAt, type ServerData } from './support/listening-servers.ts'
import { get, RawClient, type Target } from './support/raw-client.ts'
import { movesConnections, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('routes by listener', { timeoutMs: 40_000 })

const poolOf = (...servers: ServerData[]): PoolConfig => ({ workers: 1, env: { SERVERS: JSON.stringify(servers) } })

/** The names that answer requests for these paths over one connection. */
async function namesOverOne(target: Target, paths: readonly string[]): Promise<string[]> {
  const client = new RawClient(target)
  const names: string[] = []
  for (const path of paths) {
    client.write(get(path, { Connection: 'keep-alive' }))
    names.push((await client.answer()).body.toString().split(' ')[0] as string)
  }
  client.destroy()
  return names
}

async function givenBack(balancer: RunningBalancer): Promise<number> {
  return (await balancer.status()).connections.givenBack
}

test('each port leads to its own pool, also when both apps listen on both', async () => {
  const [web, admin] = [await freePort(), await freePort()]
  const both = (name: string) => [web, admin].map((port) => ({ name, listen: [port] }))
  const balancer = await startBalancer({
    config: {
      app: 'servers-app.mjs',
      listen: undefined,
      pools: { web: poolOf(...both('web')), admin: poolOf(...both('admin')) },
      routes: [
        { listener: admin, path: '/web', pool: 'web' },
        { listener: admin, pool: 'admin' },
      ],
    },
  })
  await balancer.untilAllReady()
  assert.equal([await nameAt(web), await nameAt(admin)], ['web', 'admin'])
  const before = await givenBack(balancer)
  assert.equal(await namesOverOne(admin, ['/', '/a', '/b']), ['admin', 'admin', 'admin'])
  assert.equal(await namesOverOne(web, ['/', '/a', '/web']), ['web', 'web', 'web'])
  assert.is(await givenBack(balancer), before, 'workers agree with the primary, and no connection goes back')
  assert.equal(await namesOverOne(admin, ['/', '/web', '/']), ['admin', 'web', 'admin'])
  if (movesConnections) assert.ok((await givenBack(balancer)) > before)
  assert.is(await balancer.stop(), 0)
})

test('addresses of the config lead to apps that ask for another one', async () => {
  const folder = temporaryFolder()
  const [webPath, adminPath] = [join(folder, 'web.sock'), join(folder, 'admin.sock')]
  const balancer = await startBalancer({
    config: {
      app: 'servers-app.mjs',
      listen: [webPath, adminPath],
      pools: { web: poolOf({ name: 'web', listen: [0] }), admin: poolOf({ name: 'admin', listen: [0] }) },
      routes: [{ listener: adminPath, pool: 'admin' }],
    },
  })
  await balancer.untilAllReady()
  assert.equal([await nameAt({ path: webPath }), await nameAt({ path: adminPath })], ['web', 'admin'])
  const before = await givenBack(balancer)
  assert.equal(await namesOverOne({ path: adminPath }, ['/', '/', '/']), ['admin', 'admin', 'admin'])
  assert.equal(await namesOverOne({ path: webPath }, ['/', '/']), ['web', 'web'])
  assert.is(await givenBack(balancer), before)
  assert.is(await balancer.stop(), 0)
})

test('a net server behind a route by listener gets its connections without a head', async () => {
  const [web, bare] = [await freePort(), await freePort()]
  const servers: ServerData[] = [{ name: 'web', listen: [web] }]
  const balancer = await startBalancer({
    config: {
      app: 'servers-app.mjs',
      listen: undefined,
      pools: {
        web: poolOf(...servers, { name: 'first', kind: 'net', listen: [bare] }),
        bare: poolOf({ name: 'bare', kind: 'net', listen: [bare] }),
      },
      routes: [{ listener: `*:${bare}`, pool: 'bare' }],
    },
  })
  await balancer.untilAllReady()
  const client = new RawClient(bare)
  assert.is((await client.bytes(5)).toString(), 'bare ')
  client.destroy()
  assert.is(await nameAt(web), 'web')
  const { out } = await runCommand(balancer, ['explain', 'GET', '/', '--listener', String(bare)])
  assert.match(out, /pool\s+bare/)
  assert.is(await balancer.stop(), 0)
})

test.run()
