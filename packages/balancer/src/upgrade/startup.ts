// What this primary was started with: listening sockets, and perhaps an old primary whose successor it is.

import { withTicketKeys } from '../sessions/session-secrets.ts'
import type { ListenAddress, Settings } from '../settings.ts'
import { addressOf, takeActivation } from './activation.ts'
import { InheritedSockets } from './inherited-sockets.ts'
import { UPGRADE_VARIABLE } from './messages.ts'
import { OldPrimaryLink } from './old-primary-link.ts'

/** Settings as a config says them. `knowsSecret`: it says how tickets are signed. */
export interface FreshSettings {
  readonly settings: Settings
  readonly knowsSecret: boolean
}

export class Startup {
  readonly sockets: InheritedSockets
  readonly oldPrimaryLink: OldPrimaryLink | undefined
  /** One sentence each, for the log. */
  readonly warnings: readonly string[]
  /** Where the service manager listens for this process; undefined: it does not. */
  private readonly activated: readonly ListenAddress[] | undefined

  constructor(sockets: InheritedSockets, oldPrimaryLink?: OldPrimaryLink, warnings: readonly string[] = []) {
    this.sockets = sockets
    this.oldPrimaryLink = oldPrimaryLink
    this.warnings = warnings
    const managed = sockets.left.filter(({ isManaged }) => isManaged)
    this.activated = managed.length === 0 ? undefined : managed.map(addressOf)
  }

  /** The settings with which this primary reads the tickets and session ids of its predecessor, and listens where the service manager does. */
  applyTo({ settings, knowsSecret }: FreshSettings): Settings {
    const listen = settings.listen ?? this.activated
    if (this.oldPrimaryLink === undefined) return { ...settings, listen }
    const old = this.oldPrimaryLink.startMessage.ticketKeys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret, 'base64') }))
    const own = knowsSecret || old.length === 0 ? settings.ticketKeys : []
    const more = old.filter(({ id }) => own.every((key) => key.id !== id))
    return withTicketKeys({ ...settings, listen }, [...own, ...more].slice(0, 2))
  }

  /** Lets go of sockets that nobody wants; gives one sentence for each that a service manager keeps open. */
  leaveRest(): string[] {
    return this.sockets.closeLeft().flatMap(({ isManaged, host, port, path }) => {
      const where = path ?? `${host?.includes(':') ? `[${host}]` : host}:${port}`
      return isManaged ? [`the service manager listens on ${where}, and the config does not: nobody answers there`] : []
    })
  }

  /** All that goes with the balancer is taken over. */
  settled(): void {
    this.oldPrimaryLink?.tell({ talk: 'settled' })
  }

  /** The start has failed: whoever waits for it is told why. */
  fail(error: unknown): void {
    this.oldPrimaryLink?.fail(error)
  }
}

/** Takes it, and removes from `env` what says so: nobody else is to take it for his. Throws BalancerError ERR_UPGRADE_FAILED. */
export async function readStartup(env: NodeJS.ProcessEnv, pid: number): Promise<Startup> {
  const pipe = env[UPGRADE_VARIABLE]
  delete env[UPGRADE_VARIABLE]
  const { sockets, warnings } = takeActivation(env, pid)
  if (pipe === undefined) return new Startup(new InheritedSockets(sockets), undefined, warnings)
  const oldPrimaryLink = await OldPrimaryLink.meet(Number(pipe))
  const transferred = oldPrimaryLink.startMessage.sockets.map(({ number, ...socket }) => ({ ...socket, number }))
  return new Startup(new InheritedSockets(transferred), oldPrimaryLink)
}
