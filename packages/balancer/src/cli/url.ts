// An address as a browser takes it.

import { formatAddress, parseHostPort } from '../config/listen-options.ts'

/** Where to find an address that means all of this machine's: on localhost. The path of a unix socket stays what it is. */
export function urlOf(address: string): string {
  const parsed = parseHostPort(address)
  if ('fault' in parsed) return address
  const { host, port } = parsed.value
  return `http://${formatAddress({ host: host === undefined || host === '::' || host === '0.0.0.0' ? 'localhost' : host, port })}`
}
