// Builds ClientHellos for tests, right or wrong, and cuts them into records.

export interface HelloParts {
  readonly serverName?: string
  readonly protocols?: readonly string[]
  /** A TLS 1.2 session ticket. */
  readonly ticket?: Uint8Array
  /** TLS 1.3 tickets. */
  readonly identities?: readonly Uint8Array[]
  readonly hasEch?: boolean
  /** Further extensions, before those of the other parts. */
  readonly extensions?: readonly Buffer[]
  /** Ends behind the compression methods, as hellos without extensions do. */
  readonly isBare?: boolean
}

/** A length of `width` bytes, then the content. */
export function vector(width: 1 | 2 | 3, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content)
  const length = Buffer.alloc(width)
  length.writeUIntBE(bytes.length, 0, width)
  return Buffer.concat([length, bytes])
}

export function number(width: 1 | 2 | 4, value: number): Buffer {
  const bytes = Buffer.alloc(width)
  bytes.writeUIntBE(value, 0, width)
  return bytes
}

export function extension(type: number, ...content: readonly Uint8Array[]): Buffer {
  return Buffer.concat([number(2, type), vector(2, ...content)])
}

export function serverName(name: string): Buffer {
  return extension(0, vector(2, number(1, 0), vector(2, Buffer.from(name, 'latin1'))))
}

export function alpn(...protocols: readonly string[]): Buffer {
  return extension(16, vector(2, ...protocols.map((protocol) => vector(1, Buffer.from(protocol, 'latin1')))))
}

export function preSharedKeys(...identities: readonly Uint8Array[]): Buffer {
  const binders = identities.map(() => vector(1, Buffer.alloc(32)))
  return extension(41, vector(2, ...identities.flatMap((identity) => [vector(2, identity), number(4, 7)])), vector(2, ...binders))
}

/** The body of the message, without its header. */
export function helloBody(parts: HelloParts): Buffer {
  const { serverName: name, protocols, ticket, identities, hasEch, extensions = [], isBare } = parts
  const fixed = [
    number(2, 0x0303),
    Buffer.alloc(32, 9),
    vector(1, Buffer.alloc(32, 8)),
    vector(2, number(2, 0x1301)),
    vector(1, number(1, 0)),
  ]
  if (isBare === true) return Buffer.concat(fixed)
  const all = [
    ...extensions,
    ...(name === undefined ? [] : [serverName(name)]),
    ...(protocols === undefined ? [] : [alpn(...protocols)]),
    ...(ticket === undefined ? [] : [extension(35, ticket)]),
    ...(hasEch === true ? [extension(0xfe0d, Buffer.alloc(9))] : []),
    ...(identities === undefined ? [] : [preSharedKeys(...identities)]),
  ]
  return Buffer.concat([...fixed, vector(2, ...all)])
}

/** The message of a body. */
export function message(body: Uint8Array): Buffer {
  return Buffer.concat([number(1, 1), vector(3, body)])
}

/** A message in records of at most `size` bytes each. */
export function records(bytes: Uint8Array, size = 16_384): Buffer {
  const all: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size)
    all.push(Buffer.from([22, 3, 1]), vector(2, bytes.subarray(at, Math.min(bytes.length, at + size))))
  return Buffer.concat(all)
}

/** The bytes of a client: one hello in records. */
export function hello(parts: HelloParts = {}, size?: number): Buffer {
  return records(message(helloBody(parts)), size)
}
