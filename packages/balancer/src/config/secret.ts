// `secret`: the keys that sign tickets. A key's id is derived from its secret, so all balancers with that secret read the same tickets, in any order of secrets.

import { createHash, randomBytes } from 'node:crypto'
import type { TicketKey } from '@switchyard/routing'
import * as v from 'valibot'
import type { Fault } from './faults.ts'
import { expected } from './schema.ts'
import { REDIS_VARIABLE } from './session-url.ts'

export const SECRET_VARIABLE = 'SWITCHYARD_SECRET'

/** Variables for the balancer alone; workers do not get them. */
const PRIVATE_VARIABLES = [SECRET_VARIABLE, REDIS_VARIABLE]

const MIN_SECRET_LENGTH = 16

/** What signs tickets: `secret` of the config, or `SWITCHYARD_SECRET`. */
export interface Secrets {
  /** The name of the option or variable, for faults. */
  path: string
  /** The first signs; all are valid. */
  secrets: readonly string[]
}

const secret = expected(v.pipe(v.string(), v.minLength(MIN_SECRET_LENGTH)), `a string of at least ${MIN_SECRET_LENGTH} characters`)

/** One secret, or two for a change of secret. */
export const secrets = v.optional(
  v.lazy((input) =>
    Array.isArray(input)
      ? expected(v.pipe(v.array(secret), v.minLength(1), v.maxLength(2)), 'one or two secrets: [current, previous]')
      : secret,
  ),
)

/** The secrets of the config, else those of the environment (two with a comma between), else none. */
export function secretsOf(secret: unknown, env: NodeJS.ProcessEnv): Secrets {
  if (secret !== undefined) return { path: 'secret', secrets: [secret].flat().filter((one): one is string => typeof one === 'string') }
  const text = env[SECRET_VARIABLE]
  return { path: SECRET_VARIABLE, secrets: text === undefined || text === '' ? [] : text.split(',').map((one) => one.trim()) }
}

/** The secret variables of an environment. */
export function secretsIn(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(PRIVATE_VARIABLES.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}

/** Faults of secrets in the environment, and of two secrets together. */
export function secretFaults({ path, secrets }: Secrets): Fault[] {
  const faults: Fault[] = []
  if (path === SECRET_VARIABLE) {
    if (secrets.length > 2) faults.push({ path, message: `expected one or two secrets with a comma between, got ${secrets.length}` })
    if (secrets.some((secret) => secret.length < MIN_SECRET_LENGTH))
      faults.push({ path, message: `expected secrets of at least ${MIN_SECRET_LENGTH} characters` })
  }
  const [current, previous] = secrets
  if (current !== undefined && previous !== undefined && keyId(current) === keyId(previous)) {
    faults.push({
      path,
      message:
        current === previous
          ? 'expected two different secrets'
          : 'the two secrets have the same key id by chance: choose another first secret',
    })
  }
  return faults
}

/** One key for each secret. Without secrets: one random key, so tickets of an earlier start are not valid. */
export function ticketKeysOf({ secrets }: Secrets): TicketKey[] {
  const known: (string | Buffer)[] = secrets.length === 0 ? [randomBytes(32)] : [...secrets]
  return known.map((secret) => ({ id: keyId(secret), secret }))
}

/** One byte of a hash: enough to name the secret, too little to guess it. */
function keyId(secret: string | Buffer): number {
  return createHash('sha256').update('switchyard key id\0').update(secret).digest()[0] as number
}
