// The admin page of a running command: opened with the balancer, or taken over from the primary before, and left to the one that follows.

import { type AdminResult, startAdmin } from '../admin/admin-server.ts'
import type { Settings } from '../settings.ts'
import type { InheritedSocket, InheritedSockets } from '../upgrade/inherited-sockets.ts'
import type { RunningBalancer } from './io.ts'

export class AdminPage {
  readonly #address: Settings['admin']
  readonly #balancer: RunningBalancer
  readonly #logger: { warn(message: string): void }
  readonly #sockets: InheritedSockets
  #inherited: InheritedSocket | undefined
  #page: AdminResult | undefined

  /** `address` undefined: there is to be none. */
  constructor(address: Settings['admin'], balancer: RunningBalancer, logger: { warn(message: string): void }, sockets: InheritedSockets) {
    this.#address = address
    this.#balancer = balancer
    this.#logger = logger
    this.#sockets = sockets
    balancer.events.once('handedOver', () => void this.close())
  }

  get url(): string | undefined {
    return this.#page?.url
  }

  /** Opens it, unless its socket listens already: then somebody else answers there. Throws as `startAdmin`. */
  async open(): Promise<void> {
    if (this.#address === undefined) return
    this.#inherited = await this.#sockets.take(this.#address)
    if (this.#inherited === undefined) await this.#start()
  }

  /** The balancer serves: it answers for itself. */
  async openInherited(): Promise<void> {
    if (this.#inherited === undefined) return
    try {
      await this.#start(this.#inherited.fd)
    } catch (error) {
      this.#logger.warn(`no admin page: ${(error as Error).message}`)
    }
  }

  async close(): Promise<void> {
    await this.#page?.close()
  }

  async #start(fd?: number): Promise<void> {
    const address = this.#address as NonNullable<Settings['admin']>
    const page = await startAdmin(address, this.#balancer, fd)
    this.#page = page
    if (page.server === undefined) this.#logger.warn(page.warning)
    else this.#balancer.estate.lend({ server: page.server, askedPort: address.port })
  }
}
