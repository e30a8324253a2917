// What this primary was started with: listening sockets of a service manager, or those of an old primary with a pipe to it.

import type { ListenAddress } from '../listener-settings.ts'
import { InheritedSockets } from '../listeners/inherited-sockets.ts'
import { withTicketKeys } from '../sessions/session-secrets.ts'
import type { Settings } from '../settings.ts'
import { addressOf, readActivation } from './activation.ts'
import { UPGRADE_VARIABLE } from './messages.ts'
import { OldPrimaryLink } from './old-primary-link.ts'

/** Settings as resolved from a config. `knowsSecret`: the config has a secret that signs tickets. */
export interface FreshSettings {
  readonly settings: Settings
  readonly knowsSecret: boolean
}

export class Startup {
  readonly sockets: InheritedSockets
  readonly oldPrimaryLink: OldPrimaryLink | undefined
  /** One sentence each. */
  readonly warnings: readonly string[]
  /** Addresses of the service manager's sockets; undefined: there are none. */
  private readonly activated: readonly ListenAddress[] | undefined

  constructor(sockets: InheritedSockets, oldPrimaryLink?: OldPrimaryLink, warnings: readonly string[] = []) {
    this.sockets = sockets
    this.oldPrimaryLink = oldPrimaryLink
    this.warnings = warnings
    const managed = sockets.unclaimed.filter(({ isManaged }) => isManaged)
    this.activated = managed.length === 0 ? undefined : managed.map(addressOf)
  }

  /** Adds the old primary's keys, so that its tickets and session ids stay valid. Without `listen`, adds the addresses of the service manager. */
  applyTo({ settings, knowsSecret }: FreshSettings): Settings {
    const listen = settings.listen ?? this.activated
    if (this.oldPrimaryLink === undefined) return { ...settings, listen }
    const old = this.oldPrimaryLink.startMessage.ticketKeys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret, 'base64') }))
    const own = knowsSecret || old.length === 0 ? settings.ticketKeys : []
    const more = old.filter(({ id }) => own.every((key) => key.id !== id))
    return withTicketKeys({ ...settings, listen }, [...own, ...more].slice(0, 2))
  }

  /** Closes the sockets that no listener has claimed. Returns a warning for each that a service manager keeps open. */
  closeUnclaimed(): string[] {
    return this.sockets.closeUnclaimed().flatMap(({ isManaged, host, port, path }) => {
      const where = path ?? `${host?.includes(':') ? `[${host}]` : host}:${port}`
      return isManaged ? [`the service manager listens on ${where}, but the config does not: connections there get no answer`] : []
    })
  }

  /** Tells the old primary that the control socket and the like are taken over too. */
  sendSettled(): void {
    this.oldPrimaryLink?.send({ kind: 'settled' })
  }

  /** Tells the old primary why the start has failed. */
  sendFailure(error: unknown): void {
    this.oldPrimaryLink?.sendFailure(error)
  }
}

/** Reads it and removes its variables from `env`, so that workers do not inherit them. Throws BalancerError ERR_UPGRADE_FAILED. */
export async function readStartup(env: NodeJS.ProcessEnv, pid: number): Promise<Startup> {
  const pipe = env[UPGRADE_VARIABLE]
  delete env[UPGRADE_VARIABLE]
  const { sockets, warnings } = readActivation(env, pid)
  if (pipe === undefined) return new Startup(new InheritedSockets(sockets), undefined, warnings)
  const oldPrimaryLink = await OldPrimaryLink.connect(Number(pipe))
  const transferred = oldPrimaryLink.startMessage.sockets.map(({ number, ...socket }) => ({ ...socket, number }))
  return new Startup(new InheritedSockets(transferred), oldPrimaryLink)
}
