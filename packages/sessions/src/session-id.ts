// Session ids: 128 random bits and a signature, so that a visitor can't choose an id.

import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'

export interface SessionIds {
  make(): string
  /** Never throws. An id that this rejects never reaches a store. */
  isOurs(id: unknown): id is string
}

/** What may be part of a key in a store. */
export const sessionIdForm = /^[A-Za-z0-9._~-]{1,128}$/

const RANDOM_BYTES = 16
const MAC_BYTES = 16
/** Of 16 bytes in base64url. */
const PART_LENGTH = 22
const ID_LENGTH = PART_LENGTH + 1 + PART_LENGTH
const ID_FORM = /^[\w-]{22}\.[\w-]{22}$/
const LABEL = 'switchyard session id\0'
const MAX_REMEMBERED = 4096

/**
 * Ids of the form `<22 characters>.<22 characters>`, base64url: random bits and their HMAC-SHA256. `secrets` are base64url: the first one
 * signs, all of them verify. Throws RangeError if there is no secret or one is empty.
 */
export function signedIds(secrets: readonly string[]): SessionIds {
  const keys = secrets.map(keyOf)
  const [signing] = keys
  if (signing === undefined) throw new RangeError('session ids: there is no secret')
  /** Ids that were verified recently, oldest first: a visitor sends the same id with every request. */
  const remembered = new Set<string>()
  return {
    make() {
      const random = randomBytes(RANDOM_BYTES).toString('base64url')
      return `${random}.${macOf(signing, random)}`
    },
    isOurs(id): id is string {
      if (typeof id !== 'string' || id.length !== ID_LENGTH) return false
      if (remembered.has(id)) return true
      if (!ID_FORM.test(id)) return false
      // Compared as text: the last character of base64url has unused bits, and an id must have one spelling only.
      const given = Buffer.from(id.slice(PART_LENGTH + 1), 'latin1')
      const random = id.slice(0, PART_LENGTH)
      if (!keys.some((key) => timingSafeEqual(Buffer.from(macOf(key, random), 'latin1'), given))) return false
      if (remembered.size >= MAX_REMEMBERED) for (const oldest of remembered) if (remembered.delete(oldest)) break
      // A new string: a slice of the request head would keep the whole head in memory.
      remembered.add(`${random}.${given.toString('latin1')}`)
      return true
    },
  }
}

/** Ids that a framework makes and signs itself: accepts anything that can be part of a key. */
export function foreignIds(): SessionIds {
  return {
    make: () => randomBytes(RANDOM_BYTES).toString('base64url'),
    isOurs: (id): id is string => typeof id === 'string' && sessionIdForm.test(id),
  }
}

function keyOf(secret: string): KeyObject {
  const bytes = Buffer.from(secret, 'base64url')
  if (bytes.length === 0) throw new RangeError('session ids: a secret is empty')
  return createSecretKey(bytes)
}

function macOf(key: KeyObject, random: string): string {
  return createHmac('sha256', key).update(LABEL).update(random).digest().subarray(0, MAC_BYTES).toString('base64url')
}
