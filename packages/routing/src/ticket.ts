// Tickets: signed tokens that name a slot and a generation of one pool. A client carries one in a cookie or inside a session id.
// Layout, 27 bytes as 36 characters of base64url: version 1, key id 1, slot 2, generation 3, expiry in seconds 4, MAC 16.
// The MAC is HMAC-SHA256 cut to its left-most 16 bytes (RFC 2104 §5, NIST SP 800-107), over a label, the contents and the pool's name.

import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'

/** A secret and its number, 0 to 255, which stands in each ticket. */
export interface TicketKey {
  readonly id: number
  readonly secret: Buffer | string
}

/** The slot and generation that a ticket names. */
export interface Seat {
  readonly slot: number
  readonly generation: number
}

/** What a ticket seals. `slot` below 2^16, `generation` below 2^24; `expiresAtMs` in milliseconds since 1970, stored in whole seconds. */
export interface TicketContents extends Seat {
  readonly pool: string
  readonly expiresAtMs: number
}

const VERSION = 1
const CONTENT_BYTES = 11
const MAC_BYTES = 16
const TEXT_LENGTH = 36
const TEXT_FORM = /^[\w-]{36}$/
const LABEL = 'switchyard ticket\0'
const MAX_VERIFIED = 1024

interface VerifiedTicket extends TicketContents {
  readonly named: Seat
}

/** Issues and opens tickets. With two keys, the first signs and both verify, so that a key can be replaced without losing a session. */
export class TicketSeal {
  private readonly signing: { id: number; key: KeyObject }
  private readonly keys = new Map<number, KeyObject>()
  /** Recently verified tickets, oldest first. A client sends the same ticket with every request, and an HMAC costs more than the rest of routing. */
  private readonly verified = new Map<string, VerifiedTicket>()

  /** Throws RangeError unless there are one or two keys with different ids from 0 to 255 and secrets that are not empty. */
  constructor(keys: readonly TicketKey[]) {
    const [first] = keys
    if (first === undefined || keys.length > 2) throw new RangeError(`ticket keys: expected one or two, got ${keys.length}`)
    for (const { id, secret } of keys) {
      if (!isWhole(id, 256)) throw new RangeError(`ticket key id: expected 0 to 255, got ${id}`)
      if (this.keys.has(id)) throw new RangeError(`ticket key id: ${id} is given twice`)
      if (secret.length === 0) throw new RangeError(`ticket key ${id}: the secret is empty`)
      this.keys.set(id, typeof secret === 'string' ? createSecretKey(secret, 'utf8') : createSecretKey(secret))
    }
    this.signing = { id: first.id, key: this.keys.get(first.id) as KeyObject }
  }

  /** Makes a ticket of 36 characters, safe in cookies and URLs. Throws RangeError when a number doesn't fit its field. */
  issue(contents: TicketContents): string {
    const { slot, generation, pool } = contents
    const expiresAt = Math.floor(contents.expiresAtMs / 1000)
    if (!isWhole(slot, 2 ** 16)) throw new RangeError(`ticket slot: expected 0 to 65535, got ${slot}`)
    if (!isWhole(generation, 2 ** 24)) throw new RangeError(`ticket generation: expected 0 to 16777215, got ${generation}`)
    if (!isWhole(expiresAt, 2 ** 32)) throw new RangeError(`ticket expiry: out of range: ${contents.expiresAtMs}`)
    const bytes = Buffer.allocUnsafe(CONTENT_BYTES + MAC_BYTES)
    bytes[0] = VERSION
    bytes[1] = this.signing.id
    bytes.writeUInt16BE(slot, 2)
    bytes.writeUIntBE(generation, 4, 3)
    bytes.writeUInt32BE(expiresAt, 7)
    mac(this.signing.key, bytes.subarray(0, CONTENT_BYTES), pool).copy(bytes, CONTENT_BYTES, 0, MAC_BYTES)
    return bytes.toString('base64url')
  }

  /** Reads a ticket of this pool. `undefined` when it is forged, of another pool, expired at `nowMs`, or no ticket at all. Never throws. */
  open(text: string, pool: string, nowMs: number): Seat | undefined {
    if (text.length !== TEXT_LENGTH) return undefined
    const known = this.verified.get(text)
    if (known !== undefined && known.pool === pool) return nowMs < known.expiresAtMs ? known.named : undefined
    if (!TEXT_FORM.test(text)) return undefined
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length !== CONTENT_BYTES + MAC_BYTES || bytes[0] !== VERSION) return undefined
    const key = this.keys.get(bytes[1] as number)
    if (key === undefined) return undefined
    const expected = mac(key, bytes.subarray(0, CONTENT_BYTES), pool)
    if (!timingSafeEqual(expected.subarray(0, MAC_BYTES), bytes.subarray(CONTENT_BYTES))) return undefined
    const named = { slot: bytes.readUInt16BE(2), generation: bytes.readUIntBE(4, 3) }
    const expiresAtMs = bytes.readUInt32BE(7) * 1000
    if (nowMs >= expiresAtMs) return undefined
    // A new string, because a slice of the head's text would keep the whole head in memory.
    this.remember(bytes.toString('base64url'), { ...named, pool, expiresAtMs, named })
    return named
  }

  private remember(text: string, contents: VerifiedTicket): void {
    if (this.verified.size >= MAX_VERIFIED) {
      for (const oldest of this.verified.keys()) {
        this.verified.delete(oldest)
        break
      }
    }
    this.verified.set(text, contents)
  }
}

function mac(key: KeyObject, contents: Uint8Array, pool: string): Buffer {
  // The contents have a fixed length, so label, contents and pool can't run into one another.
  return createHmac('sha256', key).update(LABEL).update(contents).update(pool, 'utf8').digest()
}

function isWhole(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < limit
}

/** Makes a session id that carries a ticket: `<random>.<ticket>`. `random` is base64url and must be unguessable; throws as `issue` does. */
export function issueSessionId(seal: TicketSeal, contents: TicketContents, random: string): string {
  return `${random}.${seal.issue(contents)}`
}

/** The ticket inside a session id, not yet verified; `undefined` unless the id has the form of `issueSessionId`. */
export function ticketOf(sessionId: string): string | undefined {
  const dot = sessionId.length - TEXT_LENGTH - 1
  return dot > 0 && sessionId.charCodeAt(dot) === 0x2e ? sessionId.slice(dot + 1) : undefined
}
