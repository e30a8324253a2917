// Checks that the Redis of the config answers: connects as the workers do, and reads a session that does not exist. Nothing is written.

import { openRedisStore, type SessionSettings } from '@switchyard/worker-runtime'
import { shownUrl } from '../config/session-url.ts'
import type { Check } from './check.ts'

const NAME = 'redis'
/** Bounds of each of the two waits, for the connection and for the answer. */
const [LEAST_MS, MOST_MS] = [1_000, 3_000]
const ABSENT_ID = 'balancer-doctor'

export async function checkRedis(sessions: SessionSettings): Promise<Check> {
  if (sessions.url === undefined) return { name: NAME, state: 'ok', found: 'not used: sessions are in the memory of the primary' }
  const where = shownUrl(sessions.url)
  try {
    const commandTimeoutMs = Math.min(Math.max(sessions.commandTimeoutMs, LEAST_MS), MOST_MS)
    const store = await openRedisStore({ ...sessions, commandTimeoutMs })
    try {
      const startMs = performance.now()
      await store.read(ABSENT_ID)
      return { name: NAME, state: 'ok', found: `${where} answers within ${Math.ceil(performance.now() - startMs)} ms` }
    } finally {
      store.letGo()
      await store.close()
    }
  } catch (error) {
    const message = (error as Error).message.replace(/^Redis: /, '')
    return { name: NAME, state: 'fault', found: `${where}: ${message}`, advice: adviceFor(message) }
  }
}

function adviceFor(message: string): string {
  if (/WRONGPASS|NOAUTH|AUTH|NOPERM|invalid password/i.test(message))
    return 'Check user and password in the address, and that the user may run scripts (EVALSHA, SCRIPT) on the keys of the balancer.'
  if (/certificate|PEM|SSL|TLS/i.test(message))
    return "Check 'sessions.tls': the certificate authority of the server, and the key of the client."
  return "Start Redis, or correct its address ('sessions.url', 'sessions.urlFrom' or SWITCHYARD_REDIS_URL). Until it answers, requests that need a session fail. 'sessions: { url: false }' keeps sessions in the primary."
}
