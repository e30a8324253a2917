// Sets Strict-Transport-Security (RFC 6797) on responses over the listeners that ask for it, unless the app sets the field itself.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { listenerOf, tagUnderTls } from '@switchyard/handoff'
import type { TlsListenerStart } from '../../tls-start.ts'

const FIELD = 'Strict-Transport-Security'

export class HstsFields {
  private readonly values: ReadonlyMap<number, string>
  /** For a request that another worker has forwarded: its listener is not known. */
  private readonly first: string | undefined

  private constructor(values: ReadonlyMap<number, string>) {
    this.values = values
    const [first] = values.values()
    this.first = first
  }

  /** undefined: no listener asks for the field. */
  static of(listeners: readonly TlsListenerStart[]): HstsFields | undefined {
    const values = new Map(listeners.flatMap(({ listener, hsts }) => (hsts === undefined ? [] : [[listener, hsts] as const])))
    return values.size === 0 ? undefined : new HstsFields(values)
  }

  /** Call it before the app has the response: what the app sets or removes then counts. */
  prepare({ socket }: IncomingMessage, response: ServerResponse): void {
    if ((socket as { readonly encrypted?: boolean }).encrypted !== true) return
    const tag = tagUnderTls(socket)
    const value = tag === undefined ? this.first : this.values.get(listenerOf(tag))
    if (value !== undefined) response.setHeader(FIELD, value)
  }
}
