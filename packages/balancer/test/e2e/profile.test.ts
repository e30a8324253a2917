// `balancer profile` and `balancer heap-snapshot`: files about running workers, also of one that hangs.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { listensOn } from '../../src/system/listens-on.ts'
import { runCommand } from './support/commands.ts'
import { startBalancer } from './support/running-balancer.ts'

const test = suite('profile', { timeoutMs: 60_000 })

test('a profile and a snapshot of a worker, which serves on; its inspector is closed afterwards', async () => {
  const balancer = await startBalancer({ config: { app: 'expect-app.mjs', pools: { web: { workers: 1 } } } })
  const profile = join(balancer.temporary, 'one.cpuprofile')
  const { code, out, err } = await runCommand(balancer, ['profile', 'web/0', '--seconds', '0.3', '-o', profile])
  assert.is(code, 0, err)
  assert.match(out, /one\.cpuprofile \(\d+ KiB\): open it/)
  const { nodes, samples } = JSON.parse(readFileSync(profile, 'utf8')) as { nodes: unknown[]; samples: unknown[] }
  assert.ok(nodes.length > 0 && samples.length > 0, `${nodes.length} ${samples.length}`)
  assert.is(statSync(profile).mode & 0o777, 0o600)

  const snapshot = await runCommand(balancer, ['heap-snapshot', '0'])
  assert.is(snapshot.code, 0, snapshot.err)
  const [, file = ''] = /^(\S+web-0-[\dT-]+\.heapsnapshot) /.exec(snapshot.out) ?? []
  const { snapshot: heap, nodes: cells } = JSON.parse(readFileSync(file, 'utf8'))
  assert.is(cells.length, heap.node_count * heap.meta.node_fields.length)

  const pid = (await balancer.status()).pools[0]?.workers[0]?.pid as number
  const ports = balancer.lines.flatMap(({ msg }) => /^Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(msg)?.[1] ?? [])
  assert.is(ports.length, 2)
  for (const port of ports) assert.not(await listensOn(pid, Number(port)))
  assert.is((await fetch(`http://127.0.0.1:${balancer.port}/?expect=web`)).status, 200)
  assert.is((await balancer.status()).pools[0]?.workers[0]?.restarts, 0)
  assert.is(await balancer.stop(), 0)
})

test('a worker that hangs is profiled, and the profile names the line', async () => {
  const balancer = await startBalancer({ config: { app: 'hung-app.mjs', hangTimeoutMs: 60_000, pools: { web: { workers: 1 } } } })
  const pid = (await balancer.status()).pools[0]?.workers[0]?.pid as number
  const hung = fetch(`http://127.0.0.1:${balancer.port}/hang`).catch(() => {})
  await balancer.untilStatus(({ pools }) => (pools[0]?.workers[0]?.load.busyMs ?? 0) > 100, 'a worker that hangs')
  const file = join(balancer.temporary, 'hang.cpuprofile')
  const { code, err } = await runCommand(balancer, ['profile', 'web/0', '--seconds', '0.3', '-o', file])
  assert.is(code, 0, err)
  assert.match(readFileSync(file, 'utf8'), /hung-app\.mjs/)
  process.kill(pid, 'SIGKILL')
  await hung
  await balancer.untilAllReady()
  assert.is(await balancer.stop(), 0)
})

test('faults are said: no such worker, no folder for the file, a worker that exits meanwhile', async () => {
  const balancer = await startBalancer({ config: { app: 'expect-app.mjs', pools: { web: { workers: 1 } } } })
  const missing = await runCommand(balancer, ['profile', 'web/7'])
  assert.is(missing.code, 2)
  assert.match(missing.err, /there is no worker web\/7/)
  assert.is((await runCommand(balancer, ['profile', 'web/0', '--seconds', 'x'])).code, 2)
  const nowhere = await runCommand(balancer, ['profile', 'web/0', '-o', '/no/such/folder/file'])
  assert.is(nowhere.code, 2)
  assert.match(nowhere.err, /The file can't be written: ENOENT/)
  const file = join(balancer.temporary, 'cut.cpuprofile')
  const cut = runCommand(balancer, ['profile', 'web/0', '--seconds', '100', '-o', file])
  await until(() => existsSync(file), 10_000)
  process.kill((await balancer.status()).pools[0]?.workers[0]?.pid as number, 'SIGKILL')
  await balancer.untilAllReady()
  const { code, err } = await cut
  assert.is(code, 17, err)
  assert.match(err, /web\/0: the worker has exited/)
  assert.not(existsSync(file))
  assert.is(await balancer.stop(), 0)
})

test.run()
