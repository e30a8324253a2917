// Reads the arguments of net.Server.listen(), which come in many shapes.

/** What an app asks of `listen()`. */
export interface ListenRequest {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly path: string | undefined
  readonly backlog: number | undefined
  readonly callback: (() => void) | undefined
}

/** The request in `args`, or undefined when it is for a descriptor or a handle, or is not valid: then it is Node's own to answer. */
export function readListenArguments(args: readonly unknown[]): ListenRequest | undefined {
  const last = args[args.length - 1]
  const callback = typeof last === 'function' ? (last as () => void) : undefined
  const rest = callback === undefined ? args : args.slice(0, -1)
  const first = rest[0]
  if (typeof first === 'object' && first !== null) {
    const options = first as Record<string, unknown>
    if (options.signal !== undefined) return undefined
    const backlog = typeof options.backlog === 'number' ? options.backlog : undefined
    const host = typeof options.host === 'string' ? options.host : undefined
    if (typeof options.path === 'string') return { host: undefined, port: undefined, path: options.path, backlog, callback }
    if (!('port' in options)) return undefined
    return forPort(options.port, host, backlog, callback)
  }
  const backlog = rest.slice(1).find((value) => typeof value === 'number')
  if (typeof first === 'string' && Number.isNaN(Number.parseInt(first, 10))) {
    return { host: undefined, port: undefined, path: first, backlog: backlog as number | undefined, callback }
  }
  return forPort(first, typeof rest[1] === 'string' ? rest[1] : undefined, backlog as number | undefined, callback)
}

function forPort(
  port: unknown,
  host: string | undefined,
  backlog: number | undefined,
  callback: (() => void) | undefined,
): ListenRequest | undefined {
  const number = port === undefined || port === null ? 0 : Number(port)
  if (!Number.isInteger(number) || number < 0 || number > 65535) return undefined
  return { host, port: number, path: undefined, backlog, callback }
}
