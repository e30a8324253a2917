// Settings of pools: every default filled in, every path absolute.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../../../test/suite.ts'
import type { BalancerConfig, PoolConfig, SizeConfig } from '../../../src/config/config.ts'
import { defaultAutoscale } from '../../../src/config/pool/autoscale-options.ts'
import { defaultOutliers } from '../../../src/config/pool/outlier-options.ts'
import { resolveSettings } from '../../../src/config/resolve.ts'
import type { PoolSettings } from '../../../src/settings.ts'

const test = suite('pool settings')
const folder = mkdtempSync(join(tmpdir(), 'switchyard-settings-'))
writeFileSync(join(folder, 'server.js'), '')
mkdirSync(join(folder, 'reports'))
writeFileSync(join(folder, 'reports', 'index.mjs'), '')
atSuiteEnd(() => rmSync(folder, { recursive: true }))

const settingsOf = (config: BalancerConfig) => resolveSettings(config, { folder, env: {}, cpus: () => 6 })

test('pools keep their order and their options', () => {
  const { pools } = settingsOf({
    app: 'server.js',
    pools: {
      web: { workers: 'max', env: { A: '1', B: undefined } },
      heavy: { workers: 2, app: './reports', cwd: 'reports', args: ['-v'], execArgv: ['--no-warnings'], queue: { limit: 0 } },
    },
  })
  assert.equal(
    pools.map(({ name, workers, app, cwd, env, queueLimit, queueTimeoutMs }) => [name, workers, app, cwd, env, queueLimit, queueTimeoutMs]),
    [
      ['web', 6, join(folder, 'server.js'), folder, { A: '1' }, 1024, 5000],
      ['heavy', 2, join(folder, 'reports', 'index.mjs'), join(folder, 'reports'), {}, 0, 5000],
    ],
  )
  assert.equal([pools[1]?.args, pools[1]?.execArgv], [['-v'], ['--no-warnings']])
})

test('weights, concurrency and slow start', () => {
  const { pools } = settingsOf({
    app: 'server.js',
    pools: {
      web: { weights: [2, 0.5], concurrency: 1, slowStart: { windowMs: 5000 } },
      heavy: { slowStart: { windowMs: 1, from: 1, aggression: 0.5 } },
    },
  })
  assert.equal(
    pools.map(({ weights, concurrency, slowStart }) => [weights, concurrency, slowStart]),
    [
      [[2, 0.5], 1, { windowMs: 5000, from: 0.1, aggression: 1 }],
      [[], Number.POSITIVE_INFINITY, { windowMs: 1, from: 1, aggression: 0.5 }],
    ],
  )
})

/** The settings of a pool whose config came as JSON. */
const poolOf = (pool: PoolConfig, rest: Omit<BalancerConfig, 'pools'> = {}) =>
  settingsOf(JSON.parse(JSON.stringify({ app: 'server.js', ...rest, pools: { web: pool } }))).pools[0] as PoolSettings

test('a path alone is a probe, and a probe has defaults', () => {
  const path = '/healthz'
  assert.equal(poolOf({ readyWhen: path }).readyWhen, { path, status: [200, 399], intervalMs: 250, timeoutMs: 1000, headers: {} })
  assert.equal(poolOf({ healthWhen: path }).healthWhen, {
    path,
    status: [200, 399],
    intervalMs: 10_000,
    timeoutMs: 5000,
    headers: {},
    failures: 3,
  })
  const own = { path: '/a?b=c', status: 204, intervalMs: 1, timeoutMs: 2, headers: { host: 'a.example' }, failures: 1 }
  assert.equal(poolOf({ healthWhen: own }).healthWhen, { ...own, status: [204, 204] })
  assert.equal(poolOf({ readyWhen: { path, status: [200, 204] } }).readyWhen?.status, [200, 204])
})

const sizes: [SizeConfig, number][] = [
  [1_048_576, 1_048_576],
  ['512M', 536_870_912],
  ['512 MB', 536_870_912],
  ['512MiB', 536_870_912],
  ['1.5g', 1_610_612_736],
  ['2048K', 2_097_152],
  ['1T', 1_099_511_627_776],
]
for (const [size, bytes] of sizes)
  test(`a size: ${size}`, () =>
    assert.equal(poolOf({ maxMemory: { soft: size } }).memory, { softBytes: bytes, hardBytes: Number.POSITIVE_INFINITY }))

test('outliers are ejected only if the config asks for it', () => {
  assert.is(poolOf({ outliers: false }).outliers, undefined)
  assert.equal(poolOf({ outliers: true }).outliers, defaultOutliers)
  assert.equal(poolOf({ outliers: { errorShare: 0.5 } }).outliers, { ...defaultOutliers, errorShare: 0.5 })
})

test('a pool with autoscale starts with its min, or with its workers', () => {
  assert.equal(poolOf({ autoscale: {} }).autoscale, { ...defaultAutoscale, min: 1, max: 6 })
  assert.equal(poolOf({ autoscale: { min: 8 } }).autoscale?.max, 8, 'never below min')
  assert.is(poolOf({ autoscale: { min: 2 } }).workers, 2)
  assert.is(poolOf({ autoscale: { min: 2, max: 4 }, workers: 'max' }).workers, 4)
  assert.is(poolOf({ autoscale: { min: 8, max: 9 }, workers: 'max' }).workers, 8)
  assert.is(poolOf({ autoscale: { min: 2, max: 4 }, workers: 3 }).workers, 3)
})

test('reload, recycling, drain and stop', () => {
  const { reload, maxRequests, maxAgeMs, nice, maxConnectionAgeMs, drainSpreadMs, drainReturnMs, stopSignal, stopTimeoutMs } = poolOf({
    reload: { maxSurge: 2 },
    maxRequests: 10,
    maxAgeMs: 20,
    nice: -5,
    maxConnectionAgeMs: 30,
    drainSpreadMs: 0,
    drainReturnMs: 3000,
    stopSignal: 'SIGINT',
    stopTimeoutMs: 40_000,
  })
  assert.equal(
    [reload, maxRequests, maxAgeMs, nice, maxConnectionAgeMs, drainSpreadMs, drainReturnMs, stopSignal, stopTimeoutMs],
    [{ maxSurge: 2, settleMs: 1500 }, 10, 20, -5, 30, 0, 3000, 'SIGINT', 40_000],
  )
  const short = poolOf({}, { drainTimeoutMs: 700 })
  assert.equal([short.drainSpreadMs, short.drainReturnMs], [700, 700], 'not longer than the drain')
})

test('a user brings its group along, by name or number', () => {
  const users = { own: () => 0, read: (path: string) => files[path] }
  const files: Record<string, string> = {
    '/etc/passwd': '# users\nroot:x:0:0::/root:/bin/sh\nwww:x:33:34::/:/bin/sh\n+@cluster\n',
    '/etc/group': 'root:x:0:\nwww:x:34:\nadm:x:4:www\n',
  }
  const ownerOf = ({ uid, gid }: PoolConfig) => {
    const config = { app: 'server.js', pools: { web: { uid, gid } } }
    const [pool] = resolveSettings(config, { folder, env: {}, cpus: () => 6, users }).pools
    return [pool?.uid, pool?.gid]
  }
  assert.equal(ownerOf({ uid: 'www' }), [33, 34])
  assert.equal(ownerOf({ uid: 33 }), [33, 34])
  assert.equal(ownerOf({ uid: 'www', gid: 'adm' }), [33, 4])
  assert.equal(ownerOf({ uid: 4711, gid: 4712 }), [4711, 4712])
  assert.equal(ownerOf({ gid: 'adm' }), [undefined, 4])
  assert.equal(ownerOf({}), [undefined, undefined])
})

test.run()
