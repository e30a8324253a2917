// An open connection to Redis is no reason for a process to live that is to end; a command under way is.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { startRedis } from '../../../../test/support/redis-servers.ts'
import { untilEvent } from '../../../../test/support/until.ts'

const test = suite('redis let go')
const FIXTURE = fileURLToPath(new URL('../fixtures/unref.fixture.ts', import.meta.url))

test('a process that has let go of its sessions ends by itself, when what it has sent is answered', async () => {
  const { url } = await startRedis()
  const child = spawn(process.execPath, ['--import', 'tsx', FIXTURE, url], { stdio: 'inherit' })
  atSuiteEnd(() => child.kill('SIGKILL'))
  assert.equal(await untilEvent(child, 'exit', 8000), [5, null])
})

test.run()
