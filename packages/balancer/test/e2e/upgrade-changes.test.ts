// What an upgrade changes, such as files, config and addresses, and what it keeps.

import { existsSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, suite } from '../../../../test/suite.ts'
import { spawnLogged } from '../../../../test/support/spawn.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get, json, type Target } from './support/raw-client.ts'
import { portOf, RunningBalancer, temporaryFolder } from './support/running-balancer.ts'
import { firstEnded, killNewPrimariesAtEnd, startUpgradable, stopServing, upgrade } from './support/upgradable-balancer.ts'

const BIN = fileURLToPath(new URL('../../bin/balancer.js', import.meta.url))
const test = suite('upgrade changes', { timeoutMs: 60_000 })
const app = 'echo-app.mjs'
const pools = { web: { workers: 1 } }

const workerAt = async (target: Target) => json<{ pid: number }>(await exchange(target, get('/'))).pid
const refusedAt = (target: Target) =>
  workerAt(target).then(
    () => undefined,
    (error: Error) => /ECONNREFUSED|ENOENT/.exec(error.message)?.[0],
  )

test('an upgrade keeps a unix socket, closes a removed address and opens a new one', async () => {
  const path = join(temporaryFolder(), 'app.sock')
  const balancer = await startUpgradable({ config: { app, pools, listen: [path, '127.0.0.1:0', '127.0.0.2:0'] } })
  const [, stays, removed] = balancer.addresses.map(portOf) as [number, number, number]
  const { ino } = statSync(path)
  const old = await workerAt({ path })
  balancer.configure({ app, pools, listen: ['127.0.0.3:0', '127.0.0.1:0', path] })
  await upgrade(balancer)
  assert.is(await firstEnded(balancer), 0)
  const added = portOf(balancer.addresses.find((address) => address.startsWith('127.0.0.3')) ?? '')
  const now = await workerAt({ path })
  assert.not.equal(now, old)
  assert.is(await workerAt({ host: '127.0.0.3', port: added }), now)
  assert.is(await workerAt(stays), now)
  assert.is(await refusedAt({ host: '127.0.0.2', port: removed }), 'ECONNREFUSED')
  assert.is(statSync(path).ino, ino)
  await stopServing(balancer)
  assert.not.ok(existsSync(path))
})

test('an app that asked for any port keeps its port', async () => {
  const balancer = await startUpgradable({ config: { app: 'free-port-app.mjs', pools, listen: undefined } })
  const { port } = balancer
  await upgrade(balancer)
  assert.is(await firstEnded(balancer), 0)
  assert.is(json<{ synchronous: { port: number } }>(await exchange(port, get('/'))).synchronous.port, port)
  assert.equal(balancer.addresses.map(portOf), [port, port])
  await stopServing(balancer)
})

test('an upgrade continues the generations and keeps a scaled number of workers', async () => {
  const balancer = await startUpgradable({ config: { app, pools: { web: { workers: 1 }, other: { workers: 2 } } } })
  assert.is((await runCommand(balancer, ['scale', 'web', '3'])).code, 0)
  assert.is((await runCommand(balancer, ['reload', 'web'])).code, 0)
  // A number that the config changes is that of the config.
  balancer.configure({ app, pools: { web: { workers: 1 }, other: { workers: 1 } } })
  await upgrade(balancer)
  assert.is(await firstEnded(balancer), 0)
  const { pools: after } = await balancer.status()
  assert.equal(
    after.map(({ name, ready, generation }) => [name, ready, generation]),
    [
      ['web', 3, 2],
      ['other', 1, 1],
    ],
  )
  await stopServing(balancer)
})

test('an upgrade follows a link to the new release', async () => {
  const folder = temporaryFolder()
  const link = join(folder, 'current')
  const release = (name: string): string => {
    mkdirSync(join(folder, name))
    const code = `import { createServer } from 'node:http'\ncreateServer((_request, response) => response.end('${name}')).listen(3000)\n`
    writeFileSync(join(folder, name, 'server.mjs'), code)
    writeFileSync(join(folder, name, 'balancer.config.json'), JSON.stringify({ app: './server.mjs', listen: '127.0.0.1:0', pools }))
    return join(folder, name)
  }
  symlinkSync(release('one'), link)
  const env = { ...process.env, TMPDIR: folder, XDG_RUNTIME_DIR: '', PWD: link }
  const run = (args: readonly string[]) => spawnLogged(process.execPath, [BIN, ...args], { cwd: link, env })
  const balancer = await new RunningBalancer(run(['start', '--admin', 'off', '--no-pretty']), folder).untilReady()
  killNewPrimariesAtEnd(balancer)
  const answer = async () => (await exchange(balancer.port, get('/'))).body.toString()
  assert.is(await answer(), 'one')
  symlinkSync(release('two'), `${link}.new`)
  renameSync(`${link}.new`, link)
  const upgraded = run(['upgrade'])
  assert.is((await upgraded.ended).code, 0, upgraded.output())
  assert.is(await answer(), 'two')
  assert.is(await firstEnded(balancer), 0)
  assert.is((await run(['stop']).ended).code, 0)
  await balancer.ended()
})

test.run()
