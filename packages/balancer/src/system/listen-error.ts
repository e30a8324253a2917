// The error for an address that could not be bound, with what to do.

import { dirname } from 'node:path'
import { BalancerError } from '../errors.ts'
import { byOwner } from './port-owner.ts'

export interface RefusedAddress {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly path?: string | undefined
}

/** The kernel's default of net.ipv4.ip_unprivileged_port_start. */
const FIRST_FREE_PORT = 1024

export interface ListenFault {
  /** What happened, and what it means. */
  readonly found: string
  /** undefined: that is clear by itself. */
  readonly advice: string | undefined
}

/** `where`: the address as text. */
export function listenError(address: RefusedAddress, where: string, cause: unknown): BalancerError {
  const { found, advice } = listenFault(address, where, cause)
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return new BalancerError('ERR_ADDRESS_IN_USE', `${found}: ${advice} (--listen)`, { source: 'system', retryable: true, cause })
  const what = advice === undefined ? found : `${found}; ${advice}`
  return new BalancerError('ERR_LISTEN', `${what} (${code ?? message})`, { source: 'system', cause })
}

/** The same as a finding and advice. */
export function listenFault(address: RefusedAddress, where: string, cause: unknown): ListenFault {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return { found: `${where} is in use${byOwner(address)}`, advice: 'stop that process, or listen elsewhere' }
  const [meaning, advice] = meaningOf(address, code)
  return { found: `cannot listen on ${where}${meaning === undefined ? '' : `: ${meaning}`}`, advice }
}

/** What the code means and what to do. */
function meaningOf({ host, port, path }: RefusedAddress, code: string | undefined): readonly [meaning?: string, advice?: string] {
  if (path !== undefined) {
    const folder = dirname(path)
    if (code === 'EACCES' || code === 'EPERM')
      return [`this user may not create a file in ${folder}`, 'choose a folder that the user may write to']
    if (code === 'ENOENT') return [`the folder ${folder} does not exist`, 'create it first']
    if (code === 'ENOTDIR') return [`${folder} is not a folder`]
    return []
  }
  switch (code) {
    case 'EACCES':
      return (port ?? 0) < FIRST_FREE_PORT
        ? [
            `this user lacks the right to listen on ports below ${FIRST_FREE_PORT}`,
            'choose a higher port, start by systemd with AmbientCapabilities=CAP_NET_BIND_SERVICE or a socket unit, or lower net.ipv4.ip_unprivileged_port_start',
          ]
        : ['this user may not listen there']
    case 'EADDRNOTAVAIL':
      return ['this machine has no such address', 'leave out the host to listen on every address of the machine']
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return [`the name ${host} does not resolve`, 'write an address of this machine']
    case 'EAFNOSUPPORT':
      return ['this machine does not support this kind of address (IPv6?)', 'write an IPv4 address such as 0.0.0.0']
    default:
      return []
  }
}
