// Checks the limit of descriptors. The primary needs one for each connection that it holds, and a worker one for each of its own.

import { readFileSync } from 'node:fs'
import type { Settings } from '../settings.ts'
import type { Check } from './check.ts'

/** Of one process. Infinity: no limit. */
export interface DescriptorLimits {
  readonly soft: number
  readonly hard: number
}

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: unknown; readonly hard?: unknown } }
}

const NAME = 'descriptors'
/** What the primary has open without any connection, and for each worker. */
const OWN = 40
const OF_A_WORKER = 8
/** With room for fewer connections even a small site has to wait. */
const LEAST_ROOM = 256
const GOOD_ROOM = 4_096
const DEFAULT_SHARE = 0.9
const ADVICE =
  "Raise the limit: 'ulimit -n 65536' in the shell, LimitNOFILE=65536 in a unit of systemd, '--ulimit nofile=65536:65536' for docker run. Node uses the hard limit."

/** `running`: the balancer whose limits are checked, as text; undefined: those of this process. */
export function checkDescriptors(settings: Settings | undefined, limits = readLimits(), running?: string): Check {
  if (limits === undefined) return { name: NAME, state: 'ok', found: 'the limit is not known on this system' }
  const { soft, hard } = limits
  if (soft === Number.POSITIVE_INFINITY) return { name: NAME, state: 'ok', found: 'no limit' }
  const workers = (settings?.pools ?? []).reduce((sum, pool) => sum + pool.workers, 0)
  const share = settings?.limits.descriptorShare ?? DEFAULT_SHARE
  const room = Math.max(0, Math.floor(soft * share) - OWN - OF_A_WORKER * workers)
  const found = `each process${running === undefined ? '' : ` of ${running}`} may open ${soft}${hard === soft ? '' : ` (hard limit ${hard})`}, so the primary has room for about ${room} connections at a time`
  if (room >= GOOD_ROOM) return { name: NAME, state: 'ok', found }
  const effect = 'and then pauses accepting'
  return { name: NAME, state: room < LEAST_ROOM ? 'fault' : 'warning', found: `${found} ${effect}`, advice: ADVICE }
}

/** Of a process; left out: of this one, whose soft limit Node has raised to the hard one. undefined: not known. */
export function readLimits(pid?: number): DescriptorLimits | undefined {
  const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limitsFile(pid ?? 'self')) ?? []
  if (soft !== undefined) return { soft: numberOf(soft), hard: numberOf(hard) }
  const reported = (process.report?.getReport() as unknown as Report | undefined)?.userLimits?.open_files
  return reported === undefined || pid !== undefined ? undefined : { soft: numberOf(reported.soft), hard: numberOf(reported.hard) }
}

function limitsFile(process: number | 'self'): string {
  try {
    return readFileSync(`/proc/${process}/limits`, 'utf8')
  } catch {
    return ''
  }
}

/** `unlimited`, as the system writes it, is Infinity. */
function numberOf(value: unknown): number {
  const number = Number(value)
  return Number.isFinite(number) ? number : Number.POSITIVE_INFINITY
}
