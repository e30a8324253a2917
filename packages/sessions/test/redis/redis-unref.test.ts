// After unref an open connection to Redis does not keep the process alive, but a pending command does.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { startRedis } from '../../../../test/support/redis-servers.ts'
import { untilEvent } from '../../../../test/support/until.ts'

const test = suite('redis unref')
const FIXTURE = fileURLToPath(new URL('../fixtures/unref.fixture.ts', import.meta.url))

test('a process with an unref’ed store exits by itself, after its last command is answered', async () => {
  const { url } = await startRedis()
  const child = spawn(process.execPath, ['--import', 'tsx', FIXTURE, url], { stdio: 'inherit' })
  atSuiteEnd(() => child.kill('SIGKILL'))
  assert.equal(await untilEvent(child, 'exit', 8000), [5, null])
})

test.run()
