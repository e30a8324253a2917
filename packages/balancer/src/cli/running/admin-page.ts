// The admin page of a running command: opened with the balancer, or taken over from the primary before, and left to the one that follows.

import { type AdminResult, startAdmin } from '../../admin/admin-server.ts'
import type { Settings } from '../../settings.ts'
import type { InheritedSocket, InheritedSockets } from '../../upgrade/inherited-sockets.ts'
import type { RunningBalancer } from '../io.ts'

export interface AdminPageOptions {
  /** undefined: there is to be none. */
  readonly address: Settings['admin']
  readonly balancer: RunningBalancer
  readonly sockets: InheritedSockets
  /** While it is so, the balancer is not ready. */
  readonly isStopping: () => boolean
  readonly warn: (message: string) => void
}

export class AdminPage {
  readonly #options: AdminPageOptions
  #inherited: InheritedSocket | undefined
  #page: AdminResult | undefined

  constructor(options: AdminPageOptions) {
    this.#options = options
    options.balancer.events.once('handedOver', () => void this.close())
  }

  get url(): string | undefined {
    return this.#page?.url
  }

  /** Opens it, unless its socket listens already: then somebody else answers there. Throws as `startAdmin`. */
  async open(): Promise<void> {
    const { address, sockets } = this.#options
    if (address === undefined) return
    this.#inherited = await sockets.take(address, false)
    if (this.#inherited === undefined) await this.#start()
  }

  /** The balancer serves: it answers for itself. */
  async openTakenOver(): Promise<void> {
    if (this.#inherited === undefined) return
    try {
      await this.#start(this.#inherited.fd)
    } catch (error) {
      this.#options.warn(`no admin page: ${(error as Error).message}`)
    }
  }

  async close(): Promise<void> {
    await this.#page?.close()
  }

  async #start(fd?: number): Promise<void> {
    const { balancer, isStopping, warn } = this.#options
    const address = this.#options.address as NonNullable<Settings['admin']>
    const page = await startAdmin(address, balancer, isStopping, fd)
    this.#page = page
    if (page.server === undefined) warn(page.warning)
    else balancer.extraSockets.lend({ server: page.server, askedPort: address.port })
  }
}
