// `balancer service uninstall`: stops the service of this folder, as SIGTERM does, and removes its units.

import { BalancerError } from '../../errors.ts'
import type { CliIo } from '../io.ts'
import { printable } from '../printable.ts'
import { findUnits, removeUnits } from '../service/installed-units.ts'
import type { ServiceHost } from '../service/service-host.ts'
import { Systemd } from '../service/systemd.ts'
import { findOptions, type ServiceOptions } from './service-status.ts'

/** Longer than a drain takes by default. systemd kills the service when TimeoutStopSec of its unit has passed. */
const STOP_MS = 600_000

/** Resolves with the exit code. Throws ERR_SERVICE. */
export async function uninstallService(options: ServiceOptions, io: CliIo, host: ServiceHost): Promise<number> {
  const units = findUnits(findOptions(options, io), host)
  const { name, isUser, serviceFile, socketFile } = units
  if (!isUser && host.uid !== 0)
    throw new BalancerError('ERR_SERVICE', `Only root may remove the service ${name} of the machine: run the command with sudo`, {
      source: 'system',
    })
  const files = [serviceFile, ...(socketFile === undefined ? [] : [socketFile])]
  const systemd = new Systemd(host, isUser)
  if (host.hasSystemd()) {
    // The socket first: a connection would start the service again.
    const names = [...(socketFile === undefined ? [] : [`${name}.socket`]), `${name}.service`]
    await systemd.control(['disable', '--now', ...names], STOP_MS)
  }
  removeUnits(files)
  if (host.hasSystemd()) {
    await systemd.control(['daemon-reload'])
    // Otherwise a service that had failed stays in the list of systemd.
    await systemd.tryControl(['reset-failed', `${name}.service`])
  }
  io.stdout.write(printable(`The service ${name} has stopped and is removed:\n${files.map((file) => `  ${file}`).join('\n')}\n`))
  return 0
}
