// Hashes of keys for people: they show that two requests have the same key, and not the key. Without the secret no key can be guessed from them.

import { createHmac } from 'node:crypto'
import { hashKey, type KeyHash } from './rendezvous.ts'

const PURPOSE = 'switchyard key hashes'
/** 48 bits. */
const SHOWN_LENGTH = 12

export class KeyHasher {
  private readonly secret: Buffer

  /** `secret`: see `secretOf`. */
  constructor(secret: Buffer) {
    this.secret = secret
  }

  /** The secret of the hashes, from that of the tickets. A worker without tickets gets the one and not the other. */
  static secretOf(ticketSecret: string | Buffer): Buffer {
    return createHmac('sha256', ticketSecret).update(PURPOSE).digest()
  }

  /** The first step, which is quick and not for showing: it can be reversed by trying keys. */
  static digest(key: string): KeyHash {
    return hashKey(key, '')
  }

  /** The second step: 12 hexadecimal digits. */
  show({ low, high }: KeyHash): string {
    return createHmac('sha256', this.secret).update(`${low} ${high}`).digest('hex').slice(0, SHOWN_LENGTH)
  }

  /** Both steps. */
  of(key: string): string {
    return this.show(KeyHasher.digest(key))
  }
}
