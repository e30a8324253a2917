// Why an address could not be bound, as an error that a person can act on.

import { dirname } from 'node:path'
import { BalancerError } from '../errors.ts'
import { byOwner } from './port-owner.ts'

export interface RefusedAddress {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly path?: string | undefined
}

/** The first port that every user may listen on, unless the kernel is told otherwise. */
const FIRST_FREE_PORT = 1024

/** `where`: the address as people write it. */
export function listenError(address: RefusedAddress, where: string, cause: unknown): BalancerError {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') {
    const advice = 'stop that process, or listen elsewhere (--listen)'
    return new BalancerError('ERR_ADDRESS_IN_USE', `${where} is in use${byOwner(address)}: ${advice}`, {
      source: 'system',
      retryable: true,
      cause,
    })
  }
  const reason = reasonOf(address, code)
  return new BalancerError('ERR_LISTEN', `cannot listen on ${where}${reason === undefined ? '' : `: ${reason}`} (${code ?? message})`, {
    source: 'system',
    cause,
  })
}

/** What the code means there and what to do; undefined: the code says it. */
function reasonOf({ host, port, path }: RefusedAddress, code: string | undefined): string | undefined {
  if (path !== undefined) {
    const folder = dirname(path)
    if (code === 'EACCES' || code === 'EPERM') return `this user may not make a file in ${folder}; choose a folder that it may write to`
    if (code === 'ENOENT') return `there is no folder ${folder}; make it first`
    if (code === 'ENOTDIR') return `${folder} is no folder`
    return undefined
  }
  switch (code) {
    case 'EACCES':
      return (port ?? 0) < FIRST_FREE_PORT
        ? `ports below ${FIRST_FREE_PORT} need a right that this user does not have; choose a higher port, start by systemd with AmbientCapabilities=CAP_NET_BIND_SERVICE or a socket unit, or lower net.ipv4.ip_unprivileged_port_start`
        : 'this user may not listen there'
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address; leave the host out to listen on all that it has'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} has no address; write an address of this machine`
    case 'EAFNOSUPPORT':
      return 'this machine does not use this kind of address (IPv6?); write an IPv4 address such as 0.0.0.0'
    default:
      return undefined
  }
}
