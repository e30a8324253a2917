// Finds balancers of this user that run already, so that a start that fails because of one can name it in its error.

import { resolve } from 'node:path'
import { controlPathsOf, controlSocketsOf } from '../../control/control-path.ts'
import { nameOfPrimary, primaryOn, type RunningPrimary } from '../../control/running-primary.ts'
import { BalancerError } from '../../errors.ts'
import type { CliIo } from '../io.ts'

export interface Start {
  readonly config?: string | undefined
  readonly control?: string | false | undefined
}

/** Adds the name of the balancer that uses the port or control socket, and what to do about it. Other errors are returned unchanged. */
export async function withRunning(error: unknown, { config, control }: Start, io: Pick<CliIo, 'cwd' | 'env'>): Promise<unknown> {
  if (!(error instanceof BalancerError)) return error
  const place = { file: config === undefined ? undefined : resolve(io.cwd, config), folder: io.cwd }
  const own = controlPathsOf(place, io.env)
  const named = typeof control === 'string' ? [resolve(io.cwd, control)] : []
  const port = takenPort(error.message)
  if (port === undefined && error.code !== 'ERR_CONTROL') return error
  const paths = error.code === 'ERR_CONTROL' ? named : [...new Set([...named, ...own, ...controlSocketsOf(io.env)])]
  const running = await Promise.all(paths.map(primaryOn))
  const found = running.find(
    (one) => one !== undefined && (port === undefined || one.status.addresses.some((address) => address.endsWith(`:${port}`))),
  )
  if (found === undefined) return error
  const { code, message, source, retryable, cause } = error
  return new BalancerError(code, `${message}\n  ${adviceOn(found, own.includes(found.path))}`, { source, retryable, cause })
}

/** `balancer 'shop' (pid 123)`; undefined: no balancer answers on the path. */
export async function nameOfRunning(path: string): Promise<string | undefined> {
  const found = await primaryOn(path)
  return found && nameOfPrimary(found)
}

function adviceOn(running: RunningPrimary, isFoundHere: boolean): string {
  const which = isFoundHere ? '' : ` --control ${running.path}`
  return (
    `${nameOfPrimary(running)} runs already and uses it. To load new code: 'balancer reload${which}'; ` +
    `to stop it: 'balancer stop${which}'; to replace it without closing the port: 'balancer upgrade${which}'`
  )
}

/** The port of an address in use, from the balancer's message or from Node's EADDRINUSE in the app's output. */
function takenPort(message: string): string | undefined {
  const [, fromBalancer, fromNode] = /:(\d+) is in use|EADDRINUSE[^\n]*?:(\d+)\b(?!:)/.exec(message) ?? []
  return fromBalancer ?? fromNode
}
