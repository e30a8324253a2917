// The check of Redis, with real servers. A password never appears.

import { sessionDefaults } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { startRedis } from '../../../../test/support/redis-servers.ts'
import { checkRedis } from '../../src/doctor/redis-check.ts'

const test = suite('redis check', { timeoutMs: 30_000 })
const check = (url: string | undefined) => checkRedis({ ...sessionDefaults, url })

test('no Redis is wanted', async () => assert.is((await check(undefined)).state, 'ok'))

test('nothing listens', async () => {
  const port = await freePort()
  const { state, found, advice } = await check(`redis://me:opensesame@127.0.0.1:${port}/2`)
  assert.is(state, 'fault')
  assert.match(found, new RegExp(`^redis://127\\.0\\.0\\.1:${port}/2: .*ECONNREFUSED`))
  assert.not.match(`${found} ${advice}`, /opensesame/)
  assert.match(advice ?? '', /^Start Redis, or correct its address/)
})

test('a server that answers, asks for a password, and hangs', async () => {
  const server = await startRedis({ requirepass: 'opensesame' })
  const address = `127.0.0.1:${server.port}`
  const good = await check(`redis://:opensesame@${address}`)
  assert.is(good.state, 'ok', good.found)
  assert.match(good.found, new RegExp(`^redis://${address} answers within \\d+ ms$`))
  for (const url of [`redis://${address}`, `redis://:wrongword@${address}`]) {
    const { state, found, advice } = await check(url)
    assert.is(state, 'fault')
    assert.not.match(`${found} ${advice}`, /wrongword/)
    assert.match(advice ?? '', /^Check user and password/, found)
  }
  server.pause()
  const hanging = await check(`redis://:opensesame@${address}`)
  assert.is(hanging.state, 'fault')
  server.resume()
  await server.stop()
})

test.run()
