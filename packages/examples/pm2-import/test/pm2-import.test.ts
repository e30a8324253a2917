// Four apps of a file for PM2 in one balancer.

import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { until } from '../../../../test/support/until.ts'
import { ask, type RunningExample, runCommand, startExample } from '../../test-support/start.ts'

const logs = fileURLToPath(new URL('../logs', import.meta.url))
const test = suite('example pm2-import', { timeoutMs: 30_000 })
let example: RunningExample
let ports: { shop: number; admin: number }

test.before(async () => {
  ports = { shop: await freePort('::'), admin: await freePort('::') }
  const env = { SHOP_PORT: String(ports.shop), ADMIN_PORT: String(ports.admin) }
  example = await startExample('pm2-import', { workers: 5, args: ['ecosystem.config.js', '--env', 'production', '-i', '2'], env })
})
test.after(async () => {
  await example.stop()
  rmSync(logs, { recursive: true, force: true })
})

const at = (port: number) => ({ ...example, port })

test('each port is answered by its app, in its environment', async () => {
  for (const app of ['shop', 'admin'] as const) {
    const { status, json } = await ask(at(ports[app]), '/cart')
    assert.is(status, 200)
    assert.equal([json.app, json.environment, json.path], [app, 'production', '/cart'])
  }
})

test('a reload under load fails no request', async () => {
  let isOver = false
  let count = 0
  const clients = Object.values(ports).map(async (port) => {
    while (!isOver) {
      assert.is((await ask(at(port), '/')).status, 200)
      count++
    }
  })
  const { pid } = (await ask(at(ports.shop), '/')).json
  assert.match(await runCommand('pm2-import', ['reload']), '5 workers of shop, admin, mailer, report replaced')
  isOver = true
  await Promise.all(clients)
  assert.ok(count > 0)
  assert.is.not((await ask(at(ports.shop), '/')).json.pid, pid)
})

test('consumers run beside, the job has its time, and the output is in files', async () => {
  const status = await runCommand('pm2-import', ['status'])
  assert.match(status, /mailer +2 of 2/)
  assert.match(status, /report +0 3 \* \* \* +in /)
  await until(() => readFileSync(join(logs, 'shop.log'), 'utf8').includes(`shop listens on ${ports.shop}`))
  await until(() => readFileSync(join(logs, 'mailer.log'), 'utf8').includes('mailer 1 waits for letters'))
})

test('the import prints the config, and the option that is missing', async () => {
  const out = await runCommand('pm2-import', ['import', '--env', 'production'])
  assert.match(out, '//   admin: pid_file: ')
  assert.match(out, "workers: 'max', // instances")
  assert.match(out, "{ listener: 4000, pool: 'admin' }")
})

test.run()
