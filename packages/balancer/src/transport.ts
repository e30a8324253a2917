// Chooses how connections go to workers: over the native module where it is built, otherwise over Node's own IPC.

import { nativeFault, nativeTransport, portableTransport, type Transport } from '@switchyard/handoff'
import { BalancerError } from './errors.ts'

const VARIABLE = 'SWITCHYARD_CHANNEL'
const REMEDY = "'balancer doctor' says more, and 'balancer doctor --build' compiles the module"
const COSTS =
  'idle connections do not rest, requests that belong to another worker are forwarded, load figures are older, and connections cost more CPU'

/** Reads `SWITCHYARD_CHANNEL`: `native`, `portable`, or unset for the better one. Throws BalancerError ERR_NO_NATIVE or ERR_CONFIG. */
export function chooseTransport(env: NodeJS.ProcessEnv, faultOf: () => Error | undefined = nativeFault): Transport {
  switch (env[VARIABLE] ?? '') {
    case '':
      return faultOf() === undefined ? nativeTransport() : portableTransport()
    case 'portable':
      return portableTransport()
    case 'native': {
      const cause = faultOf()
      if (cause === undefined) return nativeTransport()
      throw new BalancerError('ERR_NO_NATIVE', `${VARIABLE}=native: ${cause.message}. ${REMEDY}`, { source: 'system', cause })
    }
    default:
      throw new BalancerError('ERR_CONFIG', `${VARIABLE}: expected native or portable, got '${env[VARIABLE]}'`, { source: 'config' })
  }
}

/** One line for the log: why the portable channel is used, what it costs, and what helps. */
export function portableNotice(env: NodeJS.ProcessEnv, fault: Error | undefined = nativeFault()): string {
  const isChosen = env[VARIABLE] === 'portable' || fault === undefined
  const why = isChosen ? `${VARIABLE} asks for it` : fault.message
  return `connections go over the portable channel (${why}): ${COSTS}${isChosen ? '' : `. ${REMEDY}`}`
}
