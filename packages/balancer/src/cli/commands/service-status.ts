// `balancer service status`: shows what systemd says of the service of this folder.

import { errorCodes } from '../../errors.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'
import { type FindUnitsOptions, findUnits } from '../service/installed-units.ts'
import type { ServiceHost } from '../service/service-host.ts'
import { Systemd } from '../service/systemd.ts'

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

/** Resolves with the exit code: 0 if the service runs. Throws ERR_SERVICE if there is none. */
export async function serviceStatus(options: ServiceOptions, io: CliIo, host: ServiceHost): Promise<number> {
  const units = findUnits(findOptions(options, io), host)
  const systemd = new Systemd(host, units.isUser)
  const shown = await systemd.show(`${units.name}.service`, PROPERTIES)
  const get = (name: (typeof PROPERTIES)[number]): string => shown.get(name) ?? ''
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
  const failure = get('ActiveState') === 'failed' ? `: ${get('Result')}, exit code ${get('ExecMainStatus')}` : ''
  const state = get('ActiveState') === '' ? 'unknown: systemd does not answer' : `${get('ActiveState')} (${get('SubState')})${failure}`
  const rows: [string, string][] = [
    ['unit', units.serviceFile],
    ['folder', units.folder],
    ['state', `${state}${isActive ? `, pid ${get('MainPID')}, since ${get('ActiveEnterTimestamp')}` : ''}`],
    ...(get('StatusText') === '' ? [] : [['says', get('StatusText')] as [string, string]]),
    ['at boot', get('UnitFileState') === 'enabled' ? 'starts' : `does not start (${get('UnitFileState') || 'unknown'})`],
    ['restarts', get('NRestarts') || '0'],
    ...(socket === undefined ? [] : [['socket', `${units.name}.socket is ${socket}`] as [string, string]]),
    ...(get('NeedDaemonReload') === 'yes' ? [['note', 'the unit file has changed: systemctl daemon-reload'] as [string, string]] : []),
    ['output', `journalctl ${units.isUser ? '--user ' : ''}-u ${units.name} -n 50`],
  ]
  io.stdout.write(printable(`${[units.name, ...rows.map(([title, text]) => `  ${title.padEnd(10)}${text}`)].join('\n')}\n`))
  return exitCode
}

export function findOptions({ name, user }: ServiceOptions, { cwd }: Pick<CliIo, 'cwd'>): FindUnitsOptions {
  return { name, isUser: user === true ? true : undefined, folder: cwd }
}
