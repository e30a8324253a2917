// The log files of workers, from the app that prints to the command that reads them back.

import { renameSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { runCommand } from './support/commands.ts'
import { printEverything, printOnFullDisk, printThroughReplacements } from './support/log-run.ts'
import { exchange, get } from './support/raw-client.ts'
import { startBalancer, temporaryFolder } from './support/running-balancer.ts'

const MB = 1e6
const test = suite('log files', { timeoutMs: 60_000 })

test('output of workers, rotated and compressed: no line is lost or torn, and the memory stays flat', () =>
  printEverything({ workers: 2, bytes: 20 * MB, logs: { rotate: { size: '2M', keep: 1_000 } } }))

test('a reload and an upgrade while files are rotated: no line is lost or torn', printThroughReplacements)

// A small disk is mounted, which root may do.
if (userInfo().uid === 0)
  test('a disk that is full for a while: no request fails, and every lost line is counted', () =>
    printOnFullDisk({ workers: 2, bytes: 75 * MB }))

test('balancer logs reads beyond its memory, also after a restart and a move of the files', async () => {
  const folder = temporaryFolder()
  const config = { app: 'printing-app.mjs', pools: { web: { workers: 1 } }, logs: { folder } }
  const first = await startBalancer({ config })
  await exchange(first.port, get('/print?lines=1500&length=40'))
  assert.is(await first.stop(), 0)

  const balancer = await startBalancer({ config })
  const printed = async (...args: string[]) => {
    const { code, out, err } = await runCommand(balancer, ['logs', '--grep', 'x$', ...args])
    assert.is(code, 0, err)
    return out.trim().split('\n')
  }
  const numbers = async (...args: string[]) => (await printed(...args)).map((line) => Number(line.split(':')[1]))
  assert.equal(await numbers('-n', '1', 'web/0'), [1_500])
  renameSync(join(folder, 'web-0.log'), join(folder, `web-0.log.${new Date().toISOString().replaceAll(':', '-')}`))
  process.kill(balancer.pid, 'SIGUSR2')
  await balancer.untilLine(({ msg }) => msg.startsWith('SIGUSR2'), 'the signal')
  await exchange(balancer.port, get('/print?lines=1500&length=40'))
  const all = Array.from({ length: 3_000 }, (_, index) => 1 + (index % 1_500))
  assert.equal(await numbers('-n', '2000', 'web/0'), all.slice(-2_000))
  assert.equal(await numbers('--since', '10m', 'web'), all)
  assert.equal(await numbers('-n', '3', '--grep', ':1[0-9]:'), [17, 18, 19])
  const [json] = await printed('-n', '1100', '--json', 'web')
  assert.match(json as string, /^\{"time":\d+,"level":30,"stream":"stdout","pool":"web","slot":0,"msg":"web\.\d+:401:x+"\}$/)
  for (const [args, message] of [
    [['--grep', '('], /--grep.*Expected a regular expression/],
    [['--since', 'yesterday'], /--since.*Expected a duration such as 90s/],
  ] as const) {
    const bad = await runCommand(balancer, ['logs', ...args])
    assert.is(bad.code, 2)
    assert.match(bad.err, message)
  }
  assert.is(await balancer.stop(), 0)
})

test.run()
