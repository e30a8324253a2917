// The part of a ClientHello that routes ask for, as text: how a worker tells the primary of the hello around a request.

import { type ClientHello, dnsName, MAX_PROTOCOLS } from './client-hello.ts'

const FORM = /^(\S{1,253}) ((?:[0-9a-f]{2}){1,255}(?:,(?:[0-9a-f]{2}){1,255})*)?$/
const NO_NAME = '-'
/** More than any text of a real hello. */
const MAX_TEXT_LENGTH = 2048

/** A hello with this name and these protocols, and nothing else. */
export function helloWith(serverName: string | undefined, protocols: readonly string[]): ClientHello {
  return { serverName, protocols, ticketNames: [], hasEch: false }
}

/** The name, a space, and the protocols in hexadecimal: `a.example 6832,687474702f312e31`. */
export function helloText({ serverName, protocols }: ClientHello): string {
  return `${serverName ?? NO_NAME} ${protocols.map((protocol) => Buffer.from(protocol, 'latin1').toString('hex')).join(',')}`
}

/** The reverse of `helloText`; undefined: the text is malformed. */
export function helloIn(text: string): ClientHello | undefined {
  if (text.length > MAX_TEXT_LENGTH) return undefined
  const [, name, list] = FORM.exec(text) ?? []
  if (name === undefined) return undefined
  const protocols = list === undefined ? [] : list.split(',', MAX_PROTOCOLS)
  return helloWith(
    name === NO_NAME ? undefined : dnsName(name),
    protocols.map((hex) => Buffer.from(hex, 'hex').toString('latin1')),
  )
}
