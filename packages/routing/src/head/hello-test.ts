// The conditions of a route on a ClientHello: the server name (`sni`) and the application protocols (`alpn`).

import { type ClientHello, dnsName } from './client-hello.ts'

/** What a route asks of a hello. A connection without one never matches. */
export interface HelloMatch {
  /** A server name, or `*.example.com` for every name below `example.com`; of a list, one of them. Case is ignored. */
  readonly sni?: string | readonly string[]
  /** A protocol that the client offers, such as `h2`; of a list, one of them. Case counts. */
  readonly alpn?: string | readonly string[]
}

/** Returns the condition that a hello does not meet, for people; `undefined` if it meets all. */
export type HelloTest = (hello: ClientHello | undefined) => string | undefined

/** The longest name of a protocol (RFC 7301 §3.1). */
const MAX_PROTOCOL_LENGTH = 255

/** Compiles the conditions; `undefined`: there are none. */
export function helloTest({ sni, alpn }: HelloMatch): HelloTest | undefined {
  if (sni === undefined && alpn === undefined) return undefined
  const names = listOf(sni).map((name) => name.toLowerCase())
  const exact = new Set(names.filter((name) => !name.startsWith('*.')))
  const domains = names.filter((name) => name.startsWith('*.')).map((name) => name.slice(1))
  const protocols = listOf(alpn)
  return (hello) => {
    if (hello === undefined) return 'the connection is not over TLS'
    const { serverName } = hello
    if (sni !== undefined && !isNamed(serverName, exact, domains)) {
      return `${serverName === undefined ? 'the unknown server name' : `server name ${serverName}`} is not ${names.join(' or ')}`
    }
    if (alpn === undefined || hello.protocols.some((protocol) => protocols.includes(protocol))) return undefined
    return `the client does not offer ${protocols.join(' or ')}`
  }
}

function isNamed(name: string | undefined, exact: ReadonlySet<string>, domains: readonly string[]): boolean {
  if (name === undefined) return false
  return exact.has(name) || domains.some((domain) => name.length > domain.length && name.endsWith(domain))
}

/** The conditions as part of a route's name, such as ` [sni: a.example.com] [alpn: h2]`. */
export function helloMatchText({ sni, alpn }: HelloMatch): string {
  const part = (name: string, values: HelloMatch['sni']) => (values === undefined ? '' : ` [${name}: ${listOf(values).join('|')}]`)
  return part('sni', sni) + part('alpn', alpn)
}

/** Says what is wrong with a server name of a route; `undefined` if nothing is. */
export function serverNameFault(text: string): string | undefined {
  if (/[^\0-\x7f]/.test(text)) return 'expected the name as DNS has it, in ASCII (xn--…)'
  if (/^[\d.]+$/.test(text) || text.includes(':')) return 'expected a name: clients that connect to an address send no server name'
  const base = text.startsWith('*.') ? text.slice(2) : text
  if (base.includes('*')) return 'expected * to be the whole first label, as in *.example.com'
  return dnsName(base) === undefined || base.endsWith('.') ? 'expected a DNS name such as example.com or *.example.com' : undefined
}

/** Says what is wrong with a protocol of a route; `undefined` if nothing is. */
export function protocolFault(text: string): string | undefined {
  return text.length > 0 && text.length <= MAX_PROTOCOL_LENGTH && /^[\0-\xff]*$/.test(text)
    ? undefined
    : "expected a protocol id such as 'h2' or 'http/1.1'"
}

function listOf(values: string | readonly string[] | undefined): readonly string[] {
  return values === undefined ? [] : typeof values === 'string' ? [values] : values
}
