// The admin page of `balancer start`: opened at the start, or taken over from the old primary, and handed over to a new one.

import { type AdminResult, type DashboardPages, startAdmin } from '../../admin/admin-server.ts'
import type { InheritedSocket, InheritedSockets } from '../../listeners/inherited-sockets.ts'
import type { Settings } from '../../settings.ts'
import type { RunningBalancer } from '../io.ts'

export interface AdminPageOptions {
  /** undefined: no admin page. */
  readonly address: Settings['admin']
  readonly balancer: RunningBalancer
  readonly sockets: InheritedSockets
  /** `/readyz` answers 503 while this is true. */
  readonly isStopping: () => boolean
  readonly warn: (message: string) => void
  readonly dashboard: DashboardPages
}

export class AdminPage {
  private readonly options: AdminPageOptions
  private inherited: InheritedSocket | undefined
  private page: AdminResult | undefined

  constructor(options: AdminPageOptions) {
    this.options = options
    options.balancer.events.once('handedOver', () => void this.close())
  }

  get url(): string | undefined {
    return this.page?.url
  }

  /** Opens the page, unless its socket was inherited: then the old primary still answers. Throws as `startAdmin`. */
  async open(): Promise<void> {
    const { address, sockets } = this.options
    if (address === undefined) return
    this.inherited = await sockets.claim(address, false)
    if (this.inherited === undefined) await this.listen()
  }

  /** This primary serves: it answers on the inherited socket from now on. */
  async openTakenOver(): Promise<void> {
    if (this.inherited === undefined) return
    try {
      await this.listen(this.inherited.fd)
    } catch (error) {
      this.options.warn(`no admin page: ${(error as Error).message}`)
    }
  }

  async close(): Promise<void> {
    await this.page?.close()
  }

  private async listen(fd?: number): Promise<void> {
    const { balancer, isStopping, warn, dashboard } = this.options
    const address = this.options.address as NonNullable<Settings['admin']>
    const page = await startAdmin(address, balancer, isStopping, fd, dashboard, warn)
    this.page = page
    if (page.server === undefined) warn(page.warning)
    else balancer.extraSockets.add({ server: page.server, askedPort: address.port })
  }
}
