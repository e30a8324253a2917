// Names of TLS session tickets. A ticket begins with a name of 16 bytes (RFC 5077 §4), and a client shows it in the clear when it resumes. Ours name
// the key of the ticket and the slot that issued it.
// Layout, before it is encrypted as one block of AES-128: zeros 4, key 2, slot 2 (65535: none), flags 1, nonce 7. The nonce makes two names of one slot
// differ. To everybody without the secret a name is random, because AES is a pseudorandom permutation.

import { type Cipher, createCipheriv, createDecipheriv, type Decipher } from 'node:crypto'
import { TICKET_NAME_BYTES } from './head/client-hello.ts'

/** What the name of a ticket says. Both numbers are below 65,535. */
export interface TlsTicketName {
  readonly key: number
  /** The slot whose worker issued the ticket; undefined: any worker of the pool is as good. */
  readonly slot: number | undefined
  /** The client may use the ticket again and again. Left out or false: once. */
  readonly isReusable?: boolean | undefined
}

/** The slot that the next connection of a client belongs to. `firm`: it has a session there that no other worker has. */
export interface TicketHome {
  readonly slot: number
  readonly firm: boolean
}

/** Knows which slot of a pool a TLS session ticket belongs to. */
export interface TicketHomes {
  /** `names`: of the tickets that a client presents, in its order. Undefined: they belong to no slot of this pool. */
  homeOf(pool: string, names: readonly Uint8Array[]): TicketHome | undefined
}

export const NAME_SECRET_BYTES = 16
export const NAME_NONCE_BYTES = 7

const CIPHER = 'aes-128-ecb'
const KEY_AT = 4
const SLOT_AT = 6
const FLAGS_AT = 8
const NONCE_AT = 9
const REUSABLE = 1
const NO_SLOT = 0xffff

/** Writes and reads the names of one pool's tickets. */
export class TlsTicketNames {
  private readonly cipher: Cipher
  private readonly decipher: Decipher

  /** `secret`: 16 bytes; throws RangeError for another length. */
  constructor(secret: Uint8Array) {
    if (secret.length !== NAME_SECRET_BYTES) throw new RangeError(`ticket names: expected a secret of 16 bytes, got ${secret.length}`)
    // One block at a time, each a message of its own: there is no padding, and nothing is chained.
    this.cipher = createCipheriv(CIPHER, secret, null).setAutoPadding(false)
    this.decipher = createDecipheriv(CIPHER, secret, null).setAutoPadding(false)
  }

  /** `nonce`: 7 random bytes. Throws RangeError when a number does not fit. */
  write({ key, slot = NO_SLOT, isReusable }: TlsTicketName, nonce: Uint8Array): Buffer {
    const block = Buffer.alloc(TICKET_NAME_BYTES)
    block.writeUInt16BE(key, KEY_AT)
    block.writeUInt16BE(slot, SLOT_AT)
    block[FLAGS_AT] = isReusable === true ? REUSABLE : 0
    block.set(nonce.subarray(0, NAME_NONCE_BYTES), NONCE_AT)
    return this.cipher.update(block)
  }

  /** Undefined: the ticket is not of this pool (one in 2^32 others passes). Never throws. */
  read(name: Uint8Array): TlsTicketName | undefined {
    if (name.length !== TICKET_NAME_BYTES) return undefined
    const block = this.decipher.update(name)
    if (block.length !== TICKET_NAME_BYTES || block.readUInt32BE(0) !== 0) return undefined
    const slot = block.readUInt16BE(SLOT_AT)
    return { key: block.readUInt16BE(KEY_AT), slot: slot === NO_SLOT ? undefined : slot, isReusable: block[FLAGS_AT] === REUSABLE }
  }
}
