// The keys that sign tickets. A key's id comes from its secret, so that every balancer with the same secret reads the same tickets, in whatever order the secrets stand.

import { createHash, randomBytes } from 'node:crypto'
import type { TicketKey } from '@switchyard/routing'
import type { Fault } from './faults.ts'
import { redisVariable } from './session-url.ts'

export const secretVariable = 'SWITCHYARD_SECRET'

/** Variables of the balancer that an app has no use for. */
const secretVariables = [secretVariable, redisVariable]

const minSecretLength = 16

/** Ticket keys, the first of them signs. `path` is what a fault is to be called by. */
export interface Secrets {
  path: string
  secrets: readonly string[]
}

/** The secrets of the config, or else of the environment (two with a comma between), or else none. */
export function secretsOf(secret: unknown, env: NodeJS.ProcessEnv): Secrets {
  if (secret !== undefined) return { path: 'secret', secrets: [secret].flat().filter((one): one is string => typeof one === 'string') }
  const text = env[secretVariable]
  return { path: secretVariable, secrets: text === undefined || text === '' ? [] : text.split(',').map((one) => one.trim()) }
}

/** What of the environment is secret, by its name. */
export function secretsIn(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(secretVariables.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}

/** Faults that the shape of a config does not show: of the environment, and of two secrets together. */
export function secretFaults({ path, secrets }: Secrets): Fault[] {
  const faults: Fault[] = []
  if (path === secretVariable) {
    if (secrets.length > 2) faults.push({ path, message: `expected one or two secrets with a comma between, got ${secrets.length}` })
    if (secrets.some((secret) => secret.length < minSecretLength))
      faults.push({ path, message: `expected secrets of at least ${minSecretLength} characters` })
  }
  const [current, previous] = secrets
  if (current !== undefined && previous !== undefined && keyId(current) === keyId(previous)) {
    faults.push({
      path,
      message:
        current === previous
          ? 'expected two different secrets'
          : 'the two secrets happen to have the same key id: choose another one for the first',
    })
  }
  return faults
}

/** Keys of the secrets; without any, one that this start alone knows. */
export function ticketKeysOf({ secrets }: Secrets): TicketKey[] {
  const known: (string | Buffer)[] = secrets.length === 0 ? [randomBytes(32)] : [...secrets]
  return known.map((secret) => ({ id: keyId(secret), secret }))
}

/** One byte of a hash: it names the secret and tells nothing that would help to guess it. */
function keyId(secret: string | Buffer): number {
  return createHash('sha256').update('switchyard key id\0').update(secret).digest()[0] as number
}
