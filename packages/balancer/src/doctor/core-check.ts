// Checks the cores that this process may use. In a container a quota below one core stops all processes for a part of each period.

import { type CpuSource, coreLimits, usableCpus } from '../config/pool/cpus.ts'
import type { Settings } from '../settings.ts'
import type { Check } from './check.ts'

const NAME = 'cores'

/** `source`: left out, this process. */
export function checkCores(pools: Settings['pools'] | undefined, source?: CpuSource): Check {
  const { cores, quota } = coreLimits(source)
  const usable = usableCpus(source)
  const workers = pools === undefined ? `'max' stands for ${usable}` : pools.map((pool) => `${pool.name} ${pool.workers}`).join(', ')
  const found = `${amount(cores)}${quota === undefined || quota >= cores ? '' : `, of which the cgroup allows ${rounded(quota)}`}; workers: ${workers}`
  if (quota !== undefined && quota < 1)
    return {
      name: NAME,
      state: 'warning',
      found: `the cgroup allows ${rounded(quota)} of a core for the primary and its workers together, so the kernel stops all of them for a part of every 100 ms; workers: ${workers}`,
      advice:
        'Give the container at least one core: docker run --cpus 2, resources.limits.cpu in Kubernetes, CPUQuota= of a service. Or remove the limit, and use a share (requests.cpu, CPUWeight=) instead.',
    }
  return { name: NAME, state: 'ok', found }
}

function amount(cores: number): string {
  return cores === 1 ? '1 core' : `${cores} cores`
}

function rounded(quota: number): string {
  return String(Math.round(quota * 100) / 100)
}
