// The listening sockets: opened with errors that a person can act on, and their addresses as people write them.

import { rmSync } from 'node:fs'
import type { BoundListener, Door } from '@switchyard/handoff'
import type { ServerAddress } from '@switchyard/worker-runtime'
import { BalancerError } from './errors.ts'
import type { ListenAddress } from './settings.ts'

/** What the primary listens on. */
export class Listeners {
  private readonly bound: BoundListener[] = []

  /** Opens each address at the door, which closes it. Throws BalancerError ERR_ADDRESS_IN_USE or ERR_LISTEN. */
  async open(addresses: readonly ListenAddress[], door: Door, onOpen: (address: string) => void): Promise<void> {
    for (const address of addresses) {
      const listener = await openListener(address, door)
      this.bound.push(listener)
      onOpen(addressText(listener))
    }
  }

  /** The addresses as bound; undefined while there is none. */
  get addresses(): readonly ServerAddress[] | undefined {
    return this.bound.length === 0 ? undefined : this.bound.map(({ host, port, path }) => ({ host, port, path }))
  }

  get texts(): string[] {
    return this.bound.map(addressText)
  }

  /** Removes the files of unix sockets. */
  removeFiles(): void {
    for (const { path } of this.bound) if (path !== undefined) rmSync(path, { force: true })
  }
}

/** Opens one listening socket. Throws BalancerError ERR_ADDRESS_IN_USE or ERR_LISTEN. */
async function openListener(address: ListenAddress, door: Door): Promise<BoundListener> {
  try {
    return await door.listen(address)
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
function addressText(address: { host?: string | undefined; port?: number | undefined; path?: string | undefined }): string {
  if (address.path !== undefined) return address.path
  const host = address.host ?? '::'
  return `${host.includes(':') ? `[${host}]` : host}:${address.port ?? 0}`
}
