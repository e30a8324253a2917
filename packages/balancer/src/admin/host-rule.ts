// Under which names the admin address answers. DNS rebinding: a name of an attacker's that leads to this address would give the attacker's page, in the
// reader's browser, the same origin as the admin page.

import { isIP } from 'node:net'

export interface HostFault {
  readonly status: 400 | 421
  readonly why: string
}

const MAX_WARNINGS = 10

/**
 * undefined: the request may be answered. `hosts`: the values of its Host header; none: no browser has sent it, since HTTP/1.1 demands one.
 * `names`: host names that the config allows, in lower case.
 */
export function hostFaultOf(hosts: readonly string[], names: readonly string[]): HostFault | undefined {
  const [host] = hosts
  if (host === undefined) return undefined
  if (hosts.length > 1) return { status: 400, why: 'exactly one Host header is expected' }
  const name = nameIn(host)
  // An IP address can't be rebound, because no DNS answer stands behind it.
  if (name !== undefined && (isIP(name) !== 0 || name === 'localhost' || names.includes(name))) return undefined
  const shown = printable(name ?? host)
  return {
    status: 421,
    why: `the admin page does not answer for the name '${shown}': use its IP address or localhost, or add the name to the option adminHosts`,
  }
}

/** Applies the rule to the requests of one page, and warns of the first names that it refuses: a scraper may hide the answer. */
export class HostRule {
  private readonly names: readonly string[]
  private readonly warn: (message: string) => void
  private readonly warned = new Set<string>()

  constructor(names: readonly string[], warn: (message: string) => void) {
    this.names = names
    this.warn = warn
  }

  faultOf(hosts: readonly string[]): HostFault | undefined {
    const fault = hostFaultOf(hosts, this.names)
    if (fault !== undefined && this.warned.size < MAX_WARNINGS && !this.warned.has(fault.why)) {
      this.warned.add(fault.why)
      this.warn(fault.why)
    }
    return fault
  }
}

/** The name or address of a Host header, in lower case, without port and brackets. */
function nameIn(host: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host) ?? []
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? bracketed : undefined
  return plain?.toLowerCase()
}

function printable(text: string): string {
  return text.slice(0, 100).replaceAll(/[^\x20-\x7e]/g, '?')
}
