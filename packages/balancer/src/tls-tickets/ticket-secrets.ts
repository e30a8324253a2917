// The secrets behind the keys of TLS session tickets. They are random and exist in memory only: a process that has a ticket key can read the traffic of each
// TLS 1.2 session whose ticket it sees, so keys are short-lived. Each pool gets secrets of its own, derived from these.

import { hkdfSync, randomBytes } from 'node:crypto'
import { NAME_SECRET_BYTES, TlsTicketNames } from '@switchyard/routing'
import type { TlsTicketStart } from '@switchyard/worker-runtime'

/** What a new primary continues with. The secrets are in base64. */
export interface HandedOverSecrets {
  readonly names: string
  /** The next key, the one of new tickets, and the last one if there is one. */
  readonly keys: readonly { readonly number: number; readonly secret: string }[]
  /** When the keys were rotated, in milliseconds since 1970. */
  readonly rotatedMs: number
}

interface TicketSecret {
  readonly number: number
  readonly secret: Buffer
}

const SECRET_BYTES = 32
/** Numbers of keys are below this, see `TlsTicketName`. */
const NUMBERS = 0xffff

export class TicketSecrets {
  private readonly nameSecret: Buffer
  /** The next key, the one of new tickets, and the last one. */
  private keys: readonly TicketSecret[]
  private rotatedMs: number
  private readonly names = new Map<string, TlsTicketNames>()

  constructor(handedOver?: HandedOverSecrets, nowMs = Date.now()) {
    this.rotatedMs = handedOver?.rotatedMs ?? nowMs
    this.nameSecret = handedOver === undefined ? randomBytes(SECRET_BYTES) : Buffer.from(handedOver.names, 'base64')
    this.keys = handedOver?.keys.map(({ number, secret }) => ({ number, secret: Buffer.from(secret, 'base64') })) ?? [
      newSecret(1),
      newSecret(0),
    ]
  }

  /** Tickets of the last two keys stay valid. */
  rotate(nowMs: number): void {
    const [next, issuing] = this.keys as [TicketSecret, TicketSecret]
    this.keys = [newSecret((next.number + 1) % NUMBERS), next, issuing]
    this.rotatedMs = nowMs
  }

  /** Time until the keys are `rotationMs` old. */
  untilRotation(nowMs: number, rotationMs: number): number {
    return Math.min(rotationMs, Math.max(1, this.rotatedMs + rotationMs - nowMs))
  }

  startFor(pool: string): TlsTicketStart {
    return {
      names: this.nameSecretOf(pool).toString('base64'),
      issuing: (this.keys[1] as TicketSecret).number,
      keys: this.keys.map(({ number, secret }) => ({ number, secret: derive(secret, 'keys', pool, SECRET_BYTES).toString('base64') })),
    }
  }

  namesOf(pool: string): TlsTicketNames {
    const known = this.names.get(pool) ?? new TlsTicketNames(this.nameSecretOf(pool))
    this.names.set(pool, known)
    return known
  }

  get handedOver(): HandedOverSecrets {
    return {
      names: this.nameSecret.toString('base64'),
      keys: this.keys.map(({ number, secret }) => ({ number, secret: secret.toString('base64') })),
      rotatedMs: this.rotatedMs,
    }
  }

  private nameSecretOf(pool: string): Buffer {
    return derive(this.nameSecret, 'names', pool, NAME_SECRET_BYTES)
  }
}

function newSecret(number: number): TicketSecret {
  return { number, secret: randomBytes(SECRET_BYTES) }
}

function derive(secret: Buffer, purpose: string, pool: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `switchyard tls ticket ${purpose}\0${pool}`, bytes))
}
