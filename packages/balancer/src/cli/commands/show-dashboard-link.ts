// `balancer dashboard`: prints a link that opens the dashboard of the running balancer with the right to act.

import { BalancerError } from '../../errors.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'

const MINUTES = 5

/** The link goes to stdout alone, so that a command can open it. Resolves with the exit code. Throws ERR_NOT_RUNNING or ERR_NO_DASHBOARD. */
export async function showDashboardLink(options: FindBalancerOptions & { json?: boolean | undefined }, io: CliIo): Promise<number> {
  const link = await (await findBalancer(options, io)).dashboardLink()
  if (link?.url == null) {
    const why =
      link === undefined
        ? "The running balancer is of a version without a dashboard: 'balancer upgrade' replaces it"
        : "The balancer has no admin page, so it has no dashboard: set the option 'admin', or start it with --admin 127.0.0.1:9400"
    throw new BalancerError('ERR_NO_DASHBOARD', why, { source: 'system' })
  }
  if (options.json === true) {
    io.stdout.write(`${printableJson({ url: link.url, validForS: MINUTES * 60 })}\n`)
    return 0
  }
  io.stdout.write(`${printable(link.url)}\n`)
  io.stderr.write(`Open it within ${MINUTES} minutes; it works once. On another machine, put the address of this one in the link.\n`)
  return 0
}
