// Settings of a command line: the environment file, its variables in the config and in the workers, and warnings.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { readEnvFile, readSettings } from '../../src/cli/command-settings.ts'
import type { BalancerError } from '../../src/errors.ts'

const test = suite('command settings')
const folder = mkdtempSync(join(tmpdir(), 'env-'))
atSuiteEnd(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'production.env')

writeFileSync(join(folder, 'server.js'), '')
writeFileSync(
  join(folder, 'balancer.config.ts'),
  `export default {
  app: 'server.js',
  pools: { web: { workers: Number(process.env.ENV_TEST_WORKERS ?? 9), env: { OWN: 'pool' } }, heavy: { workers: 1 } },
}`,
)

test('variables of the environment win over the file, which may have quotes and comments', () => {
  writeFileSync(file, '# of production\nA=1\nB="two words"\n\nC=\'3\' # a comment\nTAKEN=file\n')
  assert.equal(readEnvFile(file, { TAKEN: 'environment' }), { A: '1', B: 'two words', C: '3' })
})

test('the config sees the variables of the file, and workers get them unless their pool sets its own', async () => {
  writeFileSync(file, 'ENV_TEST_WORKERS=2\nOWN=file\n')
  const read = () => readSettings({ environment: 'production.env' }, { cwd: folder, env: process.env })
  const { settings } = await read()
  assert.equal(
    settings.pools.map(({ workers, env }) => [workers, env]),
    [
      [2, { ENV_TEST_WORKERS: '2', OWN: 'pool' }],
      [1, { ENV_TEST_WORKERS: '2', OWN: 'file' }],
    ],
  )
  assert.is(process.env.ENV_TEST_WORKERS, undefined)
  writeFileSync(file, 'ENV_TEST_WORKERS=3\n')
  assert.is((await read()).settings.pools[0]?.workers, 3, 'read again')
})

test('the file may hold the secret, which workers do not get', async () => {
  writeFileSync(file, `SWITCHYARD_SECRET=${'s'.repeat(20)}\n`)
  const read = (environment?: string) => readSettings({ environment }, { cwd: folder, env: {} })
  assert.equal([(await read()).knowsSecret, (await read('production.env')).knowsSecret], [false, true])
  const { settings } = await read('production.env')
  assert.equal(settings.configVariables, { SWITCHYARD_SECRET: 's'.repeat(20) })
  assert.equal(settings.pools[1]?.env, {}, 'not for workers')
})

test('a REDIS_URL that is no address of one Redis server is warned of, and not shown', async () => {
  const config = join(folder, 'sessions.config.json')
  writeFileSync(config, '{ "app": "server.js", "sessions": { "urlFrom": "REDIS_URL" } }')
  const read = (env: NodeJS.ProcessEnv) => readSettings({ config }, { cwd: folder, env })
  for (const REDIS_URL of [
    'unix:///run/hunter2.sock',
    'redis-1:6379',
    'valkey://hunter2@cache:6379',
    'redis://a:1,redis://hunter2@b:2',
    '',
    undefined,
  ]) {
    const { warnings, settings } = await read({ REDIS_URL })
    assert.is(settings.sessions.url, undefined)
    assert.match(warnings.join(), /in the memory of the primary, because the variable REDIS_URL/)
    assert.not.match(warnings.join(), 'hunter2')
  }
})

test('a missing file is ERR_CONFIG', async () => {
  const env = { BEFORE: '1' }
  try {
    await readSettings({ environment: 'no.env' }, { cwd: folder, env })
    assert.unreachable()
  } catch (error) {
    assert.is((error as BalancerError).code, 'ERR_CONFIG')
    assert.match((error as BalancerError).message, /The environment file can't be read: ENOENT.*no\.env/)
  }
  assert.equal(env, { BEFORE: '1' })
})

test.run()
