// What the header of the PROXY protocol says of a connection's client. It is kept as version 2 writes it, without the signature, and goes from
// process to process in this form.

/** The longest header that is read. Those of HAProxy and of cloud load balancers have some hundred bytes. */
export const MAX_PROXY_HEADER_BYTES = 4096
/** The bytes before those of `ProxiedClient`. */
export const PROXY_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

const VERSION_AND_COMMAND = 0x21
const TCP_OVER_IPV4 = 0x11
const TCP_OVER_IPV6 = 0x21
/** Version and command, family, and the length of what follows. */
const FIXED_BYTES = 4
/** Type and length. */
const TLV_HEADER_BYTES = 3

/** The addresses and further values (TLVs) that a proxy has sent of its client. */
export class ProxiedClient {
  /** Version, command, family, length, addresses and TLVs, as in version 2. */
  readonly packed: Buffer
  private remote: string | undefined

  /** `packed` must be well-formed, as `unpack` demands. */
  constructor(packed: Buffer) {
    this.packed = packed
  }

  /** Reads the packed form at the start of `bytes`, and refers to them. undefined: it is malformed. */
  static unpack(bytes: Buffer): ProxiedClient | undefined {
    if (bytes.length < FIXED_BYTES || bytes[0] !== VERSION_AND_COMMAND) return undefined
    if (bytes[1] !== TCP_OVER_IPV4 && bytes[1] !== TCP_OVER_IPV6) return undefined
    const end = FIXED_BYTES + bytes.readUInt16BE(2)
    if (end > bytes.length || end > MAX_PROXY_HEADER_BYTES) return undefined
    const client = new ProxiedClient(bytes.subarray(0, end))
    return client.tlvStart <= end && tlvsEnd(client.tlvs) ? client : undefined
  }

  get family(): 'IPv4' | 'IPv6' {
    return this.packed[1] === TCP_OVER_IPV4 ? 'IPv4' : 'IPv6'
  }

  /** The client's address, as Node writes it. */
  get remoteAddress(): string {
    this.remote ??= addressAt(this.packed, FIXED_BYTES, this.addressBytes)
    return this.remote
  }

  get remotePort(): number {
    return this.packed.readUInt16BE(this.tlvStart - 4)
  }

  /** The address that the client has connected to. */
  get localAddress(): string {
    return addressAt(this.packed, FIXED_BYTES + this.addressBytes, this.addressBytes)
  }

  get localPort(): number {
    return this.packed.readUInt16BE(this.tlvStart - 2)
  }

  /** The values behind the addresses: a type, two bytes of length and the value, each. */
  get tlvs(): Buffer {
    return this.packed.subarray(this.tlvStart)
  }

  private get addressBytes(): number {
    return this.packed[1] === TCP_OVER_IPV4 ? 4 : 16
  }

  private get tlvStart(): number {
    return FIXED_BYTES + 2 * this.addressBytes + 4
  }
}

/** The type and value of each TLV. Stops at one that is cut off. */
export function* readTlvs(bytes: Buffer): Generator<readonly [type: number, value: Buffer]> {
  for (let at = 0; at + TLV_HEADER_BYTES <= bytes.length; ) {
    const end = at + TLV_HEADER_BYTES + bytes.readUInt16BE(at + 1)
    if (end > bytes.length) return
    yield [bytes[at] as number, bytes.subarray(at + TLV_HEADER_BYTES, end)]
    at = end
  }
}

/** Do the bytes end where a TLV ends? */
export function tlvsEnd(bytes: Buffer): boolean {
  let at = 0
  while (at + TLV_HEADER_BYTES <= bytes.length) at += TLV_HEADER_BYTES + bytes.readUInt16BE(at + 1)
  return at === bytes.length
}

/** The address in the form of inet_ntop (RFC 5952). */
function addressAt(bytes: Buffer, at: number, length: number): string {
  if (length === 4) return bytes.subarray(at, at + 4).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + 2 * index))
  const { start, count } = longestZeros(groups)
  const isMapped = start === 0 && count === 5 && groups[5] === 0xffff
  const isCompatible = start === 0 && count === 6
  const texts = groups.map((group) => group.toString(16))
  if (isMapped || isCompatible) texts.splice(6, 2, bytes.subarray(at + 12, at + 16).join('.'))
  if (count < 2) return texts.join(':')
  return `${texts.slice(0, start).join(':')}::${texts.slice(start + count).join(':')}`
}

/** The first of the longest runs of zeros. */
function longestZeros(groups: readonly number[]): { start: number; count: number } {
  let longest = { start: 0, count: 0 }
  let start = 0
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > longest.count) longest = { start, count: index + 1 - start }
  }
  return longest
}
