// Finds the traits of a request's fields that the request hook needs, in one pass.

/** The request has more than one Host field, even if they are equal. */
export const MANY_HOSTS = 1
/** The request carries a login for its whole connection: NTLM, or Negotiate (RFC 4559). */
export const CONNECTION_LOGIN = 2

const HOST = 'host'
const AUTHORIZATION = 'authorization'
const PROXY_AUTHORIZATION = 'proxy-authorization'
const SCHEME = /^(?:ntlm|negotiate)(?: |$)/i

/** The traits of an HTTP/1 request, as bits. `rawHeaders`: names and values in turn. */
export function traitsOf(rawHeaders: readonly string[]): number {
  let traits = 0
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    const { length } = name
    if (length === HOST.length) {
      if ((name.charCodeAt(0) | 0x20) === 0x68 && name.toLowerCase() === HOST && hosts++ > 0) traits |= MANY_HOSTS
    } else if (length === AUTHORIZATION.length || length === PROXY_AUTHORIZATION.length) {
      if (isAuthorization(name) && SCHEME.test(rawHeaders[at + 1] as string)) traits |= CONNECTION_LOGIN
    }
  }
  return traits
}

function isAuthorization(name: string): boolean {
  const first = name.charCodeAt(0) | 0x20
  if (first !== 0x61 && first !== 0x70) return false
  const lower = name.toLowerCase()
  return lower === AUTHORIZATION || lower === PROXY_AUTHORIZATION
}
