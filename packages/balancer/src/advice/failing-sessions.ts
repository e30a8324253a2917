// A session store that fails now and then. While it does not answer at all, the status says so.

import type { Advice } from '../advice.ts'
import type { Period } from './period.ts'

const LEAST_COMMANDS = 200
const LEAST_FAILED = 5
const LEAST_SHARE = 0.01

export function failingSessions({ pools, ms }: Period): Advice[] {
  return pools.flatMap(({ facts, workers }) => {
    const all = workers.flatMap(({ sessions }) => sessions ?? [])
    const [commands, failed] = [all.reduce((sum, one) => sum + one.commands, 0), all.reduce((sum, one) => sum + one.failed, 0)]
    const [first] = all
    if (first === undefined || commands < LEAST_COMMANDS || failed < LEAST_FAILED || failed < commands * LEAST_SHARE) return []
    const isRedis = first.kind === 'redis'
    const percent = ((failed / commands) * 100).toFixed(failed < commands * 0.1 ? 1 : 0)
    return {
      kind: 'failing-sessions',
      subject: facts.name,
      seen: `${failed} of ${commands} commands to the session store failed (${percent} %) in the last ${Math.max(1, Math.round(ms / 60_000))} minutes, in workers of pool '${facts.name}'. ${isRedis ? 'The store is Redis.' : 'The store is the memory of the primary.'}`,
      advice: isRedis
        ? `Look at Redis and the network: 'balancer doctor' asks it, and its log and 'redis-cli --latency' tell more. Meanwhile requests can read what the workers have kept.`
        : `A command fails when a session is larger than 'sessions.maxValueBytes', or when the primary does not answer in time: the app's log has the errors.`,
      config: isRedis ? `sessions: { onOutage: 'read-cached' },` : null,
    }
  })
}
