// How many cores this process may use. In a container the cgroup's quota decides, not the number of cores of the host.

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path/posix'

/** What is read from the system. Tests pass their own. */
export interface CpuSource {
  /** Cores on which the scheduler may run this process. */
  parallelism(): number
  /** The text of a file, or undefined when it can't be read. */
  read(path: string): string | undefined
}

const CGROUP_ROOT = '/sys/fs/cgroup'

const thisMachine: CpuSource = {
  parallelism: availableParallelism,
  read(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
}

/** What limits another process of this machine. */
export function cpuSourceOf(pid: number): CpuSource {
  return { ...thisMachine, read: (path) => thisMachine.read(path === '/proc/self/cgroup' ? `/proc/${pid}/cgroup` : path) }
}

/** The number of workers that `'max'` stands for: usable cores, limited by the cgroup's quota (v2 and v1, rounded up), at least 1. */
export function usableCpus(source: CpuSource = thisMachine): number {
  const { cores, quota = cores } = coreLimits(source)
  return Math.max(1, Math.min(cores, Math.ceil(quota)))
}

/** What limits the cores of this process. */
export interface CoreLimits {
  /** Cores on which the scheduler may run it. */
  readonly cores: number
  /** Cores that the cgroup allows, such as 0.5. undefined: no limit. */
  readonly quota: number | undefined
}

/** The lowest quota of the process's cgroup and its parents. */
export function coreLimits(source: CpuSource = thisMachine): CoreLimits {
  const quotas: number[] = []
  for (const line of (source.read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    for (const folder of fromLeafToRoot(path)) {
      const quota =
        controllers === ''
          ? quotaOfVersion2(source, join(CGROUP_ROOT, folder))
          : controllers.split(',').includes('cpu')
            ? quotaOfVersion1(source, controllers, folder)
            : undefined
      if (quota !== undefined) quotas.push(quota)
    }
  }
  return { cores: source.parallelism(), quota: quotas.length === 0 ? undefined : Math.min(...quotas) }
}

/** Every parent group limits the process too. Of a path outside the cgroup namespace only the root can be read. */
function fromLeafToRoot(path: string): string[] {
  if (path.includes('..')) return ['/']
  const folders = [path]
  for (let folder = path; folder !== '/'; ) {
    folder = dirname(folder)
    folders.push(folder)
  }
  return folders
}

function quotaOfVersion2(source: CpuSource, folder: string): number | undefined {
  const [quota, period] = (source.read(join(folder, 'cpu.max')) ?? '').trim().split(/\s+/)
  return share(quota, period ?? '100000')
}

function quotaOfVersion1(source: CpuSource, controllers: string, folder: string): number | undefined {
  for (const mount of new Set([controllers, 'cpu', 'cpu,cpuacct'])) {
    const base = join(CGROUP_ROOT, mount, folder)
    const quota = share(source.read(join(base, 'cpu.cfs_quota_us')), source.read(join(base, 'cpu.cfs_period_us')))
    if (quota !== undefined) return quota
  }
  return undefined
}

/** undefined: no limit, which is `max`, `-1` or an unreadable value. */
function share(quota: string | undefined, period: string | undefined): number | undefined {
  const cores = Number.parseInt(quota ?? '', 10) / Number.parseInt(period ?? '', 10)
  return Number.isFinite(cores) && cores > 0 ? cores : undefined
}
