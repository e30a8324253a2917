// `balancer start ecosystem.config.js`: two apps with a port each, found by other commands, reloaded under load.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { spawnLogged } from '../../../../test/support/spawn.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get } from './support/raw-client.ts'
import { RunningBalancer, temporaryFolder, warningsOf } from './support/running-balancer.ts'

const test = suite('files for PM2', { timeoutMs: 60_000 })
const BIN = fileURLToPath(new URL('../../bin/balancer.js', import.meta.url))

const APP = `const { createServer } = require('node:http')
const { NAME, NODE_ENV, NODE_APP_INSTANCE, PORT } = process.env
createServer((_request, response) => response.end([NAME, NODE_ENV, NODE_APP_INSTANCE, process.pid].join(' '))).listen(PORT)
process.on('SIGINT', () => process.exit(0))
`

interface Started {
  readonly balancer: RunningBalancer
  readonly folder: string
  readonly shop: number
  readonly admin: number
}

/** Starts two apps from a file for PM2 in a folder of their own. */
async function start(args: readonly string[], more: readonly object[] = []): Promise<Started> {
  const [shop, admin] = [await freePort('::'), await freePort('::')]
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'app.js'), APP)
  const apps = [
    {
      ...{
        name: 'shop',
        script: './app.js',
        instances: 2,
        exec_mode: 'cluster',
        max_memory_restart: '500M',
        kill_timeout: 3000,
        min_uptime: 100,
      },
      ...{ env: { NAME: 'shop', PORT: shop }, env_production: { NODE_ENV: 'production' } },
    },
    { name: 'the admin', script: 'app.js', exec_mode: 'fork', env: { NAME: 'admin' }, port: admin, min_uptime: 100 },
    ...more,
  ]
  writeFileSync(join(folder, 'ecosystem.config.js'), `module.exports = ${JSON.stringify({ apps })}`)
  const child = spawnLogged(process.execPath, [BIN, 'start', ...args, '--admin', '127.0.0.1:0', '--no-pretty'], {
    cwd: folder,
    env: { ...process.env, TMPDIR: folder, XDG_RUNTIME_DIR: '', NODE_ENV: '' },
  })
  const balancer = await new RunningBalancer(child, folder).untilReady(20_000)
  await balancer.untilAllReady()
  return { balancer, folder, shop, admin }
}

async function said(port: number): Promise<string[]> {
  const { status, body } = await exchange(port, get('/'))
  assert.is(status, 200)
  return body.toString().split(' ')
}

test('each app has its port, its workers and its variables', async () => {
  const { balancer, shop, admin } = await start(['ecosystem.config.js', '--env', 'production'])
  const slots = new Set<string>()
  for (let turn = 0; turn < 10; turn++) {
    const [name, environment, slot = ''] = await said(shop)
    assert.equal([name, environment], ['shop', 'production'])
    slots.add(slot)
  }
  assert.ok([...slots].every((slot) => slot === '0' || slot === '1'))
  assert.equal((await said(admin)).slice(0, 3), ['admin', '', '0'])
  assert.equal(
    (await balancer.status()).pools.map(({ name, desired }) => [name, desired]),
    [
      ['shop', 2],
      ['the-admin', 1],
    ],
  )
  assert.equal(warningsOf(balancer), [])
  assert.is(await balancer.stop(), 0)
})

test('commands in its folder find it, and a reload under load reads the file again and fails no request', async () => {
  const { balancer, folder, shop, admin } = await start(['ecosystem.config.js'])
  let isOver = false
  let requests = 0
  const load = [shop, admin].flatMap((port) =>
    Array.from({ length: 4 }, async () => {
      while (!isOver) {
        await said(port)
        requests++
      }
    }),
  )
  const file = join(folder, 'ecosystem.config.js')
  const before = (await said(shop))[3]
  const { apps } = JSON.parse(JSON.stringify(await import(file).then((module) => module.default)))
  apps[0].env.NAME = 'changed'
  writeFileSync(file, `module.exports = ${JSON.stringify({ apps })}`)
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 0, err)
  isOver = true
  await Promise.all(load)
  assert.ok(requests > 0)
  const [name, , , after] = await said(shop)
  assert.is(name, 'changed')
  assert.is.not(after, before)
  const { code: stopped } = await runCommand(balancer, ['stop'])
  assert.is(stopped, 0)
  assert.is(await balancer.ended(), 0)
})

test('an app that is not for Node is left out with a warning, and --only leaves out others', async () => {
  const python = { name: 'tool', script: 'tool.py', args: '--fast' }
  const { balancer, folder } = await start(['--config', 'ecosystem.config.js', '--only', 'shop, tool'], [python])
  assert.equal(
    (await balancer.status()).pools.map(({ name }) => name),
    ['shop'],
  )
  const [warning] = warningsOf(balancer)
  assert.match(warning?.msg ?? '', /^ecosystem\.config\.js: tool: tool\.py is written in Python, .* ExecStart=python3 tool\.py --fast$/)
  const { out } = await runCommand(balancer, ['check', '--config', join(folder, 'ecosystem.config.js')])
  assert.match(out, /1 +\/\* on \d+ +the-admin/)
  assert.is(await balancer.stop(), 0)
})

test.run()
