// Chooses how connections go to workers: over the native module where it is built, otherwise over Node's own IPC.

import { hasNative, nativeTransport, portableTransport, type Transport } from '@switchyard/handoff'
import { BalancerError } from './errors.ts'

const VARIABLE = 'SWITCHYARD_CHANNEL'
const COSTS =
  'idle connections do not rest, requests that belong to another worker are forwarded, load figures are older, and connections cost more CPU'

/** Reads `SWITCHYARD_CHANNEL`: `native`, `portable`, or unset for the better one. Throws BalancerError ERR_NO_NATIVE or ERR_CONFIG. */
export function chooseTransport(env: NodeJS.ProcessEnv, isBuilt: () => boolean = hasNative): Transport {
  switch (env[VARIABLE] ?? '') {
    case '':
      return isBuilt() ? nativeTransport() : portableTransport()
    case 'portable':
      return portableTransport()
    case 'native':
      if (isBuilt()) return nativeTransport()
      throw new BalancerError('ERR_NO_NATIVE', 'the native channel is not built: install a C++ compiler and run npm run build', {
        source: 'system',
      })
    default:
      throw new BalancerError('ERR_CONFIG', `${VARIABLE}: expected native or portable, got '${env[VARIABLE]}'`, { source: 'config' })
  }
}

/** One line for the log: why the portable channel is used, and what it costs. */
export function portableNotice(env: NodeJS.ProcessEnv): string {
  const why = env[VARIABLE] === 'portable' ? `${VARIABLE} asks for it` : 'the native module is not built'
  return `connections go over the portable channel (${why}): ${COSTS}`
}
