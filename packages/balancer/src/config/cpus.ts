// How many cores this process may really use. In a container the host's cores are a lie: the cgroup's quota decides.

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path/posix'

/** What is asked of the system; passed in, so that tests can stand for any machine. */
export interface CpuSource {
  /** Cores the scheduler may put this process on. */
  parallelism(): number
  /** The text of a file, or undefined when it can't be read. */
  read(path: string): string | undefined
}

const cgroupRoot = '/sys/fs/cgroup'

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

/** Number of workers that `'max'` stands for: the cores this process may use, cut to the cgroup's quota (v2 and v1, rounded up), at least 1. */
export function usableCpus(source: CpuSource = thisMachine): number {
  const quotas = [source.parallelism()]
  for (const line of (source.read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    for (const folder of fromLeafToRoot(path)) {
      const quota =
        controllers === ''
          ? quotaOfVersion2(source, join(cgroupRoot, folder))
          : controllers.split(',').includes('cpu')
            ? quotaOfVersion1(source, controllers, folder)
            : undefined
      if (quota !== undefined) quotas.push(Math.ceil(quota))
    }
  }
  return Math.max(1, Math.min(...quotas))
}

/** Every group around the leaf limits it too. A path that climbs out of the namespace says nothing but its root. */
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
    const base = join(cgroupRoot, mount, folder)
    const quota = share(source.read(join(base, 'cpu.cfs_quota_us')), source.read(join(base, 'cpu.cfs_period_us')))
    if (quota !== undefined) return quota
  }
  return undefined
}

/** `max`, `-1` and anything unreadable mean no limit. */
function share(quota: string | undefined, period: string | undefined): number | undefined {
  const cores = Number.parseInt(quota ?? '', 10) / Number.parseInt(period ?? '', 10)
  return Number.isFinite(cores) && cores > 0 ? cores : undefined
}
