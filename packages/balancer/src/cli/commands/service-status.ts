// `balancer service status`: shows what systemd says of the service of this folder.

import { errorCodes } from '../../errors.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'
import { type FindUnitsOptions, findUnits, type InstalledUnits } from '../service/installed-units.ts'
import type { ServiceHost } from '../service/service-host.ts'
import { lingers, loginAdvice, Systemd } from '../service/systemd.ts'

export interface ServiceOptions {
  /** For the user's own systemd. */
  user?: boolean | undefined
  name?: string | undefined
  json?: boolean | undefined
}

const PROPERTIES = [
  'ActiveState',
  'SubState',
  'Result',
  'UnitFileState',
  'MainPID',
  'NRestarts',
  'StatusText',
  'ActiveEnterTimestamp',
  'ExecMainStatus',
  'NeedDaemonReload',
] as const
type Property = (typeof PROPERTIES)[number]

/** Resolves with the exit code: 0 if the service runs. Throws ERR_SERVICE if there is none. */
export async function serviceStatus(options: ServiceOptions, io: CliIo, host: ServiceHost): Promise<number> {
  const units = findUnits(findOptions(options, io), host)
  const systemd = new Systemd(host, units.isUser)
  const shown = await systemd.show(`${units.name}.service`, PROPERTIES)
  const get = (name: Property): string => shown.get(name) ?? ''
  const socket =
    units.socketFile === undefined ? undefined : (await systemd.show(`${units.name}.socket`, ['ActiveState'])).get('ActiveState')
  const isActive = get('ActiveState') === 'active' || get('ActiveState') === 'reloading'
  const exitCode = isActive ? 0 : errorCodes.ERR_NOT_RUNNING.exitCode
  if (options.json === true) {
    const result = {
      name: units.name,
      user: units.isUser,
      folder: units.folder,
      unit: units.serviceFile,
      active: get('ActiveState') || null,
      sub: get('SubState') || null,
      result: get('Result') || null,
      enabled: get('UnitFileState') === 'enabled',
      pid: Number(get('MainPID')) || null,
      restarts: Number(get('NRestarts')) || 0,
      status: get('StatusText') || null,
      socket: socket ?? null,
    }
    io.stdout.write(`${printableJson(result)}\n`)
    return exitCode
  }
  const rows: [string, string][] = [
    ['unit', units.serviceFile],
    ['folder', units.folder],
    ...(get('ActiveState') === '' ? silentRows(units, host) : await stateRows(units, get, host)),
    ...(socket === undefined ? [] : [['socket', `${units.name}.socket is ${socket}`] as [string, string]]),
    ...(get('NeedDaemonReload') === 'yes' ? [['note', 'the unit file has changed: systemctl daemon-reload'] as [string, string]] : []),
    ['output', `journalctl ${units.isUser ? '--user ' : ''}-u ${units.name} -n 50`],
  ]
  io.stdout.write(printable(`${[units.name, ...rows.map(([title, text]) => `  ${title.padEnd(10)}${text}`)].join('\n')}\n`))
  return exitCode
}

function silentRows({ isUser }: InstalledUnits, host: ServiceHost): [string, string][] {
  return [['state', 'unknown: systemd does not answer'], ...(isUser ? [['note', loginAdvice(host)] as [string, string]] : [])]
}

/** The rows of a service that systemd knows. systemd keeps the text of a service that has ended: it is not shown. */
async function stateRows(
  { name, isUser, socketFile }: InstalledUnits,
  get: (name: Property) => string,
  host: ServiceHost,
): Promise<[string, string][]> {
  const active = get('ActiveState')
  const hasEnded = active === 'inactive' || active === 'failed'
  const failure = active === 'failed' ? `: ${get('Result')}, exit code ${get('ExecMainStatus')}` : ''
  const process = active === 'active' || active === 'reloading' ? `, pid ${get('MainPID')}, since ${get('ActiveEnterTimestamp')}` : ''
  const names = socketFile === undefined ? name : `${name}.socket ${name}`
  const isStarted = get('UnitFileState') === 'enabled'
  return [
    ['state', `${active} (${get('SubState')})${failure}${process}`],
    ...(hasEnded ? [['to start', `systemctl ${isUser ? '--user ' : ''}start ${names}`] as [string, string]] : []),
    ...(hasEnded || get('StatusText') === '' ? [] : [['says', get('StatusText')] as [string, string]]),
    [
      isUser && !(await lingers(host)) ? 'at login' : 'at boot',
      isStarted ? 'starts' : `does not start (${get('UnitFileState') || 'unknown'})`,
    ],
    ['restarts', get('NRestarts') || '0'],
  ]
}

export function findOptions({ name, user }: ServiceOptions, { cwd }: Pick<CliIo, 'cwd'>): FindUnitsOptions {
  return { name, isUser: user === true ? true : undefined, folder: cwd }
}
