// Opens the listening sockets, with errors that a person can act on, and says their addresses as people write them.

import { type BoundListener, listen } from '@switchyard/handoff'
import { BalancerError } from './errors.ts'
import type { ListenAddress } from './settings.ts'

/** Opens one listening socket. Throws BalancerError ERR_ADDRESS_IN_USE or ERR_LISTEN. */
export async function openListener(address: ListenAddress): Promise<BoundListener> {
  try {
    return await listen(address)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const where = addressText(address)
    if (code === 'EADDRINUSE') {
      throw new BalancerError('ERR_ADDRESS_IN_USE', `${where} is in use: stop the other process, or listen elsewhere (--listen)`, {
        source: 'system',
        retryable: true,
        cause: error,
      })
    }
    const advice = code === 'EACCES' ? ': this user may not listen there' : ''
    throw new BalancerError('ERR_LISTEN', `cannot listen on ${where}${advice} (${code ?? message})`, { source: 'system', cause: error })
  }
}

/** `127.0.0.1:3000`, `[::]:3000` or a path. */
export function addressText(address: { host?: string | undefined; port?: number | undefined; path?: string | undefined }): string {
  if (address.path !== undefined) return address.path
  const host = address.host ?? '::'
  return `${host.includes(':') ? `[${host}]` : host}:${address.port ?? 0}`
}
