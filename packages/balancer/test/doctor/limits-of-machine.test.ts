// The checks of cores, memory, descriptors and the accept queue, on machines that are given as values.

import { assert, suite } from '../../../../test/suite.ts'
import type { CpuSource } from '../../src/config/pool/cpus.ts'
import { checkBacklog } from '../../src/doctor/backlog-check.ts'
import { checkCores } from '../../src/doctor/core-check.ts'
import { checkDescriptors, readLimits } from '../../src/doctor/descriptor-check.ts'
import { checkMemory } from '../../src/doctor/memory-check.ts'
import type { ListenAddress } from '../../src/listener-settings.ts'
import type { PoolSettings, Settings } from '../../src/settings.ts'

const test = suite('limits of the machine')
const pools = (...workers: number[]) => workers.map((count, index) => ({ name: `pool${index}`, workers: count }) as PoolSettings)
const settings = (workers: number): Settings => ({ pools: pools(workers), limits: { descriptorShare: 0.9 } }) as unknown as Settings

/** A machine of 8 cores with these files. */
const machine = (files: Record<string, string>): CpuSource => ({ parallelism: () => 8, read: (path) => files[path] })

for (const [version, files] of [
  ['v2', { '/proc/self/cgroup': '0::/app\n', '/sys/fs/cgroup/app/cpu.max': '50000 100000\n' }],
  [
    'v1',
    {
      '/proc/self/cgroup': '1:cpu:/app\n',
      '/sys/fs/cgroup/cpu/app/cpu.cfs_quota_us': '50000',
      '/sys/fs/cgroup/cpu/app/cpu.cfs_period_us': '100000',
    },
  ],
] as [string, Record<string, string>][]) {
  test(`a cgroup (${version}) of half a core`, () => {
    const { state, found, advice } = checkCores(pools(1), machine(files))
    assert.is(state, 'warning')
    assert.match(found, /the cgroup allows 0\.5 of a core.*workers: pool0 1$/)
    assert.match(advice ?? '', /at least one core: docker run --cpus 2/)
  })
}

test('a cgroup of several cores', () => {
  const source = machine({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '150000 100000\n' })
  assert.equal(checkCores(undefined, source), {
    name: 'cores',
    state: 'ok',
    found: "8 cores, of which the cgroup allows 1.5; workers: 'max' stands for 2",
  })
  assert.is(checkCores(pools(4, 2), machine({})).found, '8 cores; workers: pool0 4, pool1 2')
})

test('memory for every worker', () => {
  const GIB = 1024 ** 3
  assert.equal(checkMemory(pools(8), { totalBytes: 16 * GIB, limitBytes: undefined }), { name: 'memory', state: 'ok', found: '16 GiB' })
  const { state, found, advice } = checkMemory(pools(8), { totalBytes: 16 * GIB, limitBytes: GIB / 4 })
  assert.is(state, 'warning')
  assert.match(found, /^256 MiB, the limit of the cgroup, and 8 workers and the primary need at least 576 MiB$/)
  assert.match(advice ?? '', /Raise the limit/)
})

test('256 descriptors are a fault, 2048 a warning', () => {
  const { state, found, advice } = checkDescriptors(settings(2), { soft: 256, hard: 256 })
  assert.is(state, 'fault')
  assert.match(found, /^each process may open 256, so the primary has room for about 174 connections/)
  assert.match(advice ?? '', /ulimit -n 65536.*LimitNOFILE/)
  assert.is(checkDescriptors(settings(2), { soft: 2048, hard: 2048 }).state, 'warning')
  assert.is(checkDescriptors(settings(2), { soft: 65_536, hard: 65_536 }).state, 'ok')
  assert.is(checkDescriptors(undefined, { soft: Number.POSITIVE_INFINITY, hard: Number.POSITIVE_INFINITY }).found, 'no limit')
  assert.match(checkDescriptors(settings(2), { soft: 1024, hard: 4096 }).found, /1024 \(hard limit 4096\)/)
})

test('the limits of this process are read', () => {
  const limits = readLimits()
  assert.ok(limits !== undefined && limits.soft > 0 && limits.hard >= limits.soft, JSON.stringify(limits))
  assert.equal(readLimits(process.pid), limits)
})

test('an accept queue that the kernel shortens', () => {
  const listen = [{ backlog: 511 }, { backlog: 8192 }] as ListenAddress[]
  const { state, found, advice } = checkBacklog(listen, 128)
  assert.is(state, 'warning')
  assert.match(found, /the kernel allows 128 connections.*the balancer asks for 8192/)
  assert.match(advice ?? '', /sysctl -w net\.core\.somaxconn=8192/)
  assert.is(checkBacklog(undefined, 4096).state, 'ok')
  assert.is(checkBacklog(undefined, 128).state, 'warning')
})

test.run()
