// The number of cores behind `'max'`, on machines whose files are given as text.

import * as assert from 'uvu/assert'
import { suite } from '../../../../../test/suite.ts'
import { usableCpus } from '../../../src/config/pool/cpus.ts'

const test = suite('cpus')
const group = (text: string) => ({ '/proc/self/cgroup': text })

const table: [name: string, files: Record<string, string>, cores: number, expected: number][] = [
  ['no cgroups', {}, 8, 8],
  ['v2 without a limit', { ...group('0::/app\n'), '/sys/fs/cgroup/app/cpu.max': 'max 100000\n' }, 8, 8],
  ['v2, two cores', { ...group('0::/app\n'), '/sys/fs/cgroup/app/cpu.max': '200000 100000\n' }, 8, 2],
  ['v2, one and a half cores count as two', { ...group('0::/app\n'), '/sys/fs/cgroup/app/cpu.max': '150000 100000\n' }, 8, 2],
  ['v2, a tenth of a core counts as one', { ...group('0::/\n'), '/sys/fs/cgroup/cpu.max': '10000 100000\n' }, 8, 1],
  [
    'v2, a limit of a parent group',
    { ...group('0::/a/b/c\n'), '/sys/fs/cgroup/a/b/c/cpu.max': 'max 100000', '/sys/fs/cgroup/a/cpu.max': '300000 100000' },
    8,
    3,
  ],
  [
    'v2, the lowest of several limits',
    { ...group('0::/a/b\n'), '/sys/fs/cgroup/a/b/cpu.max': '500000 100000', '/sys/fs/cgroup/a/cpu.max': '300000 100000' },
    8,
    3,
  ],
  ['v2, the scheduler gives less than the quota', { ...group('0::/app\n'), '/sys/fs/cgroup/app/cpu.max': '800000 100000' }, 2, 2],
  ['v2, a path outside the namespace', { ...group('0::/../../x\n'), '/sys/fs/cgroup/cpu.max': '200000 100000' }, 8, 2],
  [
    'v1',
    {
      ...group('5:cpu,cpuacct:/app\n1:name=systemd:/\n'),
      '/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us': '250000\n',
      '/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us': '100000\n',
    },
    8,
    3,
  ],
  [
    'v1 without a limit',
    { ...group('5:cpu:/\n'), '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
    8,
    8,
  ],
  [
    "v1, the host's path inside a container",
    {
      ...group('5:cpuacct,cpu:/docker/abc\n'),
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '400000',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    },
    8,
    4,
  ],
  [
    'v1 and v2 together',
    {
      ...group('5:cpu:/\n0::/\n'),
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '400000',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
      '/sys/fs/cgroup/cpu.max': '500000 100000',
    },
    8,
    4,
  ],
  ['garbage', { ...group('what\n0::\n::\n0::/x'), '/sys/fs/cgroup/x/cpu.max': 'lots of it' }, 8, 8],
  ['a period of 0', { ...group('0::/'), '/sys/fs/cgroup/cpu.max': '100000 0' }, 8, 8],
  ['no cores at all', {}, 0, 1],
]

for (const [name, files, cores, expected] of table) {
  test(name, () => assert.is(usableCpus({ parallelism: () => cores, read: (path) => files[path] }), expected))
}

test('this machine has at least one core', () => assert.ok(usableCpus() >= 1))

test.run()
