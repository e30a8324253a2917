// Which balancers of this user run already: what an error says when a start fails because of one of them.

import { resolve } from 'node:path'
import { ControlClient } from '../../control/control-client.ts'
import { controlPathsOf, controlSocketsOf } from '../../control/control-path.ts'
import type { ControlStatus } from '../../control/control-protocol.ts'
import { BalancerError } from '../../errors.ts'
import type { CliIo } from '../io.ts'

export interface Start {
  readonly config?: string | undefined
  readonly control?: string | false | undefined
}

interface Running {
  readonly path: string
  readonly status: Pick<ControlStatus, 'name' | 'pid' | 'addresses'>
}

/** One that hangs is not waited for. */
const answerTimeoutMs = 1_000

/** The error with what is known of the balancer that is in the way; any other error as it is. */
export async function withRunning(error: unknown, { config, control }: Start, io: Pick<CliIo, 'cwd' | 'env'>): Promise<unknown> {
  if (!(error instanceof BalancerError)) return error
  const place = { file: config === undefined ? undefined : resolve(io.cwd, config), folder: io.cwd }
  const own = controlPathsOf(place, io.env)
  const named = typeof control === 'string' ? [resolve(io.cwd, control)] : []
  const port = takenPort(error.message)
  if (port === undefined && error.code !== 'ERR_CONTROL') return error
  const paths = error.code === 'ERR_CONTROL' ? named : [...new Set([...named, ...own, ...controlSocketsOf(io.env)])]
  const running = await Promise.all(paths.map(ask))
  const found = running.find(
    (one) => one !== undefined && (port === undefined || one.status.addresses.some((address) => address.endsWith(`:${port}`))),
  )
  if (found === undefined) return error
  const { code, message, source, retryable, cause } = error
  return new BalancerError(code, `${message}\n  ${adviceOn(found, own.includes(found.path))}`, { source, retryable, cause })
}

/** `balancer 'shop' (pid 123)`; undefined: none answers there. */
export async function nameOfRunning(path: string): Promise<string | undefined> {
  const found = await ask(path)
  return found && nameOf(found)
}

function adviceOn(running: Running, isFoundHere: boolean): string {
  const which = isFoundHere ? '' : ` --control ${running.path}`
  return (
    `${nameOf(running)} runs already and has it. To load new code into it: 'balancer reload${which}'; ` +
    `to end it: 'balancer stop${which}'; to replace it without closing the port: 'balancer upgrade${which}'`
  )
}

function nameOf({ status: { name, pid } }: Running): string {
  return `balancer '${name}' (pid ${pid})`
}

/** The port that an address in use has, by the words of the balancer or, where the app is told, of Node. */
function takenPort(message: string): string | undefined {
  const [, ours, nodes] = /:(\d+) is in use|EADDRINUSE[^\n]*?:(\d+)\b(?!:)/.exec(message) ?? []
  return ours ?? nodes
}

async function ask(path: string): Promise<Running | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((done) => {
    timer = setTimeout(() => done(undefined), answerTimeoutMs)
  })
  try {
    const status = await Promise.race([new ControlClient(path).status(), late])
    return status && { path, status }
  } catch {
    // None is there, or it is no balancer.
    return undefined
  } finally {
    clearTimeout(timer)
  }
}
