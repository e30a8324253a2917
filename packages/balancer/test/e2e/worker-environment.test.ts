// The environment of a worker: its slot, no secret of the balancer, and the runtime package wherever the app is installed.

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasNative } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { exchange, get, json } from './support/raw-client.ts'
import { fixture, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('worker environment', { timeoutMs: 40_000 })

interface Told {
  environ: string
  env: Record<string, string>
  slot: number
  types: string[]
  isOne: boolean
  forked: { slot: number | null; variable: string | null }
  inherited: [number, string][]
}

const SECRET = 'a secret that is kept in a file'
const REDIS = 'redis://balancer:hunter2@127.0.0.1:6399'

/** An app elsewhere with its own copy of the runtime, which must not be used. */
function appOutside(): string {
  const folder = temporaryFolder()
  const copy = join(folder, 'node_modules', '@switchyard', 'worker-runtime')
  mkdirSync(copy, { recursive: true })
  writeFileSync(join(copy, 'package.json'), '{ "name": "@switchyard/worker-runtime", "type": "module", "exports": { ".": "./index.js" } }')
  writeFileSync(join(copy, 'index.js'), 'export const stickyIds = undefined, worker = {}')
  copyFileSync(fixture('environment-app.mjs'), join(folder, 'app.mjs'))
  return join(folder, 'app.mjs')
}

for (const channel of hasNative() ? ['native', 'portable'] : ['portable']) {
  test(`${channel}: a worker knows its slot, and neither it nor its children have a secret`, async () => {
    const balancer = await startBalancer({
      config: {
        app: appOutside(),
        secret: SECRET,
        sessions: { url: REDIS },
        pools: { web: { workers: 1, env: { OWN: 'of the pool' } } },
        policy: { sticky: { by: 'ticket' } },
      },
      env: {
        SWITCHYARD_CHANNEL: channel,
        SWITCHYARD_SECRET: 'another secret, in a variable',
        SWITCHYARD_REDIS_URL: REDIS,
        LOG_LEVEL: 'verbose',
        REDIS_URL: 'unix:///run/redis.sock',
        NODE_APP_INSTANCE: '7',
      },
    })
    const told = json<Told>(await exchange(balancer.port, get('/')))
    const { env } = told
    assert.equal([env.SWITCHYARD_POOL, env.SWITCHYARD_SLOT, env.SWITCHYARD_GENERATION, env.NODE_APP_INSTANCE], ['web', '0', '0', '0'])
    assert.equal([env.OWN, env.LOG_LEVEL, env.REDIS_URL], ['of the pool', 'verbose', 'unix:///run/redis.sock'])
    assert.equal([told.slot, told.types, told.isOne], [0, ['function', 'function', 'function'], true])
    for (const secret of ['hunter2', SECRET, Buffer.from(SECRET).toString('base64'), 'another secret', 'forwardToken'])
      assert.not.ok(told.environ.includes(secret) || Object.values(env).some((value) => value.includes(secret)), secret)
    assert.equal(told.forked, { slot: null, variable: null }, 'a child process is not a worker')
    assert.equal(told.inherited, [], 'a child process has none of its descriptors')
    assert.is(await balancer.stop(), 0)
  })
}

test('the variable of the slot may have another name or none, and a value of the pool wins', async () => {
  const balancer = await startBalancer({
    config: {
      app: appOutside(),
      pools: {
        web: { workers: 1, slotVariable: false },
        named: { workers: 1, slotVariable: 'INSTANCE' },
        own: { workers: 1, env: { NODE_APP_INSTANCE: 'mine' } },
      },
      routes: [
        { path: '/named', pool: 'named' },
        { path: '/own', pool: 'own' },
      ],
    },
  })
  const variables = async (path: string) => {
    const { env } = json<Told>(await exchange(balancer.port, get(path)))
    return [env.NODE_APP_INSTANCE, env.INSTANCE, env.SWITCHYARD_SLOT, env.SWITCHYARD_POOL]
  }
  assert.equal(await variables('/'), [undefined, undefined, '0', 'web'])
  assert.equal(await variables('/named'), [undefined, '0', '0', 'named'])
  assert.equal(await variables('/own'), ['mine', undefined, '0', 'own'])
  assert.is(await balancer.stop(), 0)
})

test('a route table of half a megabyte works', async () => {
  const routes = Array.from({ length: 5000 }, (_, index) => ({
    path: `/tenants/tenant-number-${index}/reports/of/all/kinds/*`,
    pool: 'heavy',
  }))
  const balancer = await startBalancer({
    config: { app: 'echo-app.mjs', pools: { web: { workers: 1 }, heavy: { workers: 1 } }, routes },
  })
  assert.is((await exchange(balancer.port, get('/tenants/tenant-number-4999/reports/of/all/kinds/1'))).status, 200)
  assert.is(await balancer.stop(), 0)
})

test('a config with its own policies may read the secret, in the workers too', async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'balancer.config.mjs')
  writeFileSync(
    file,
    `import { leastInFlight } from '@switchyard/balancer'
     if (!process.env.SWITCHYARD_SECRET) throw new Error('no secret')
     const first = leastInFlight()
     export default {
       app: ${JSON.stringify(fixture('echo-app.mjs'))}, listen: '127.0.0.1:0', pools: { web: { workers: 1 } },
       policy: { name: 'own', pick: (candidates, head) => first.pick(candidates, head), stays: () => true },
     }`,
  )
  const balancer = await startBalancer({ configFile: file, env: { SWITCHYARD_SECRET: 'a secret of the environment' } })
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  assert.is(await balancer.stop(), 0)
})

test.run()
