// The dashboard of a `balancer start`: loaded shortly after the balancer is ready, or for its first reader, so that it does not lengthen the start.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AdviceReport } from '../../advice.ts'
import type { DashboardLink } from '../../control/control-protocol.ts'
import type { Dashboard } from '../../dashboard/dashboard.ts'
import type { Operations } from '../../operations.ts'
import type { Settings } from '../../settings.ts'
import { ownVersion, type RunningBalancer } from '../io.ts'
import type { Log } from '../log.ts'

export interface DashboardAccessOptions {
  readonly settings: Pick<Settings, 'admin' | 'name'>
  readonly balancer: Pick<RunningBalancer, 'events' | 'status' | 'loops' | 'insight'>
  readonly operations: Operations
  readonly log: Log
  readonly readAdvice: () => Promise<AdviceReport>
  /** undefined: the admin page is not open. */
  readonly adminUrl: () => string | undefined
}

/** Soon enough for the history of a young balancer, late enough not to compete with workers that start. */
const LOAD_AFTER_MS = 1_000
const WILDCARDS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]' }

export class DashboardAccess {
  private readonly options: DashboardAccessOptions
  private loading: Promise<Dashboard> | undefined
  private timer: NodeJS.Timeout | undefined
  private isClosed = false

  constructor(options: DashboardAccessOptions) {
    this.options = options
    // The pages that are open find the new primary on the same address.
    options.balancer.events.once('handedOver', () => this.close())
  }

  /** The balancer is ready: the history of the last hour begins. */
  start(): void {
    if (this.options.adminUrl() === undefined || this.isClosed) return
    this.timer = setTimeout(() => this.load().catch(() => {}), LOAD_AFTER_MS).unref()
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await (await this.load()).answer(request, response)
    } catch (error) {
      response.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end(`the dashboard could not be loaded: ${(error as Error).message}\n`)
    }
  }

  /** A link with a token for one session; url null: there is no admin page. */
  async createLink(): Promise<DashboardLink> {
    const url = this.options.adminUrl()
    if (url === undefined) return { url: null }
    const base = url.replace(/0\.0\.0\.0|\[::\]/, (host) => WILDCARDS[host] as string)
    // Behind '#', a browser does not send it: no log has it, and a preview of the link does not use it up.
    return { url: `${base}/#token=${(await this.load()).createToken()}` }
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
    void this.loading?.then(
      (dashboard) => dashboard.close(),
      () => {},
    )
  }

  private load(): Promise<Dashboard> {
    this.loading ??= this.open()
    return this.loading
  }

  private async open(): Promise<Dashboard> {
    const { Dashboard } = await import('../../dashboard/dashboard.ts')
    const { dashboardLists } = await import('./dashboard-lists.ts')
    const { settings, balancer, operations, log, readAdvice } = this.options
    const { insight } = balancer
    const dashboard = new Dashboard({
      balancer,
      readLists: insight && (() => dashboardLists(insight, readAdvice)),
      operations,
      identity: { name: settings.name, pid: process.pid, version: ownVersion() },
      names: settings.admin?.names ?? [],
      onAction: (action, address) => log.logger.info({ action, address }, `the dashboard asks for '${action}' (from ${address})`),
    })
    if (this.isClosed) dashboard.close()
    return dashboard
  }
}
