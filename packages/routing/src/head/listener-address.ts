// The address of the listener over which a connection came, and the condition of a route on it.

/** TCP: port and host, where no host means every address. Unix socket: its path. */
export interface ListenerAddress {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly path?: string | undefined
}

/** A condition on the listener. */
export type ListenerTest = (address: ListenerAddress | undefined) => boolean

/** The host of a listener that names none. */
const ANY_HOST = '::'
/** What `localhost` may be bound to. */
const LOOPBACKS = ['127.0.0.1', '::1']

/**
 * Compiles a port, `host:port`, `[v6]:port` or the absolute path of a unix socket. A port alone matches every host. A connection whose listener is unknown matches
 * none.
 */
export function listenerTest(listener: number | string): ListenerTest {
  const { host, port, path } = readListener(listener)
  if (path !== undefined) return (address) => address?.path === path
  if (host === undefined) return (address) => address !== undefined && address.port === port
  const hosts = host === 'localhost' ? [...LOOPBACKS, host] : [host]
  return (address) => address !== undefined && address.port === port && hosts.includes((address.host ?? ANY_HOST).toLowerCase())
}

/** The parts of a listener's text form. */
export function readListener(listener: number | string): ListenerAddress {
  if (typeof listener === 'number') return { port: listener }
  if (listener.startsWith('/')) return { path: listener }
  const [, bracketed, plain, port] = /^(?:(?:\[([^\]]+)\]|([^:[\]]*)):)?(\d+)$/.exec(listener) ?? []
  const host = (bracketed ?? plain ?? '').toLowerCase()
  // A text that is no address matches the path of no listener.
  if (port === undefined) return { path: listener }
  return { host: host === '' || host === '*' ? undefined : host, port: Number(port) }
}

/** `127.0.0.1:3000`, `[::]:3000`, a path, or `unknown`. */
export function listenerText(address: ListenerAddress | undefined): string {
  if (address === undefined) return 'unknown'
  const { host = ANY_HOST, port, path } = address
  return path ?? `${host.includes(':') ? `[${host}]` : host}:${port}`
}
