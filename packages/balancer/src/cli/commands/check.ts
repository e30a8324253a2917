// `balancer check`: prints the settings that the config results in, as tables. Faults are an error, as in every command.

import { formatAddress } from '../../config/listen-options.ts'
import { shownUrl } from '../../config/session-url.ts'
import { FALLBACK_ROUTE } from '../../dispatch/route-table.ts'
import { defaultPool, type ListenAddress, type Settings } from '../../settings.ts'
import { type Overrides, readSettings } from '../command-settings.ts'
import { pathFrom, table } from '../format.ts'
import type { CliIo } from '../io.ts'

/** Throws ERR_CONFIG with every fault. */
export async function check(options: Pick<Overrides, 'config' | 'environment' | 'env'>, io: CliIo): Promise<number> {
  const { settings, warnings } = await readSettings(options, io)
  const parts = [`${settings.file} has no faults.`, listenLines(settings), poolTable(settings, io.cwd), routeTable(settings)]
  io.stdout.write(`${[...parts, ...warnings.map((warning) => `Warning: ${warning}.`)].join('\n\n')}\n`)
  return 0
}

function listenLines({ listen, admin, control, sessions: { url, maxSessions } }: Settings): string {
  return table([
    ['listen', listen === undefined ? 'where the app listens' : listen.map(listenText).join(', ')],
    ['admin', admin === undefined ? 'off' : formatAddress(admin)],
    ['control', control === false ? 'off' : (control ?? 'default path for this folder and config')],
    ['sessions', url === undefined ? `in the memory of the primary, at most ${maxSessions}` : `in Redis, ${shownUrl(url)}`],
  ])
}

/** The address, with what its clients speak if the config says so. */
function listenText({ peek, protocol = peek === false ? 'tcp' : undefined, ...address }: ListenAddress): string {
  return `${formatAddress(address)}${protocol === undefined ? '' : ` (${protocol})`}`
}

function poolTable({ pools }: Settings, cwd: string): string {
  return table([
    ['POOL', 'WORKERS', 'QUEUE', 'APP'],
    ...pools.map(({ name, workers, queueLimit, queueTimeoutMs, app, listens, schedule }) => [
      name,
      schedule === undefined ? String(workers) : `at ${schedule.pattern}`,
      listens ? `${queueLimit} for ${queueTimeoutMs} ms` : '-',
      pathFrom(cwd, app),
    ]),
  ])
}

function routeTable({ routes, pools, defaultPolicy }: Settings): string {
  const rows = routes.map(({ name, pool, policy }, index) => [String(index), name, pool, policy.name])
  return table([['', 'ROUTE', 'POOL', 'POLICY'], ...rows, ['', FALLBACK_ROUTE, defaultPool(pools)?.name ?? '', defaultPolicy.name]])
}
