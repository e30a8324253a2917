// Asks which balancer answers on a control socket, within a short time.

import { ControlClient } from './control-client.ts'
import type { ControlStatus } from './control-protocol.ts'

export interface RunningPrimary {
  /** Of its control socket. */
  readonly path: string
  readonly status: Pick<ControlStatus, 'name' | 'pid' | 'addresses'>
}

const ANSWER_TIMEOUT_MS = 1_000

/** undefined: no balancer of this user answers on the path within a second. */
export async function primaryOn(path: string): Promise<RunningPrimary | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((done) => {
    timer = setTimeout(() => done(undefined), ANSWER_TIMEOUT_MS)
  })
  try {
    const status = await Promise.race([new ControlClient(path).status(), late])
    return status && { path, status }
  } catch {
    // No server listens, or it is not a balancer.
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

/** `balancer 'shop' (pid 123)`. */
export function nameOfPrimary({ status: { name, pid } }: RunningPrimary): string {
  return `balancer '${name}' (pid ${pid})`
}
