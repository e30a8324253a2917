// Waits for the ClientHello of a connection that has been accepted, and leaves its bytes unread.

import type { Socket } from 'node:net'
import { type ClientHello, RequestHead } from '@switchyard/routing'

/** A longer hello is not waited for. */
const MAX_BYTES = 32_768

/**
 * Calls back with the hello; undefined: the client sends something else, which the TLS stack judges. Destroys a socket whose client does not finish its hello
 * in time.
 */
export function onFirstHello(socket: Socket, timeoutMs: number, callback: (hello: ClientHello | undefined) => void): void {
  const timer = setTimeout(() => socket.destroy(), timeoutMs).unref()
  let bytes = Buffer.alloc(0)
  const stop = (): void => {
    clearTimeout(timer)
    socket.off('readable', read).off('close', stop).off('error', ignore)
  }
  function read(): void {
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) bytes = Buffer.concat([bytes, chunk])
    const { outcome, hello } = RequestHead.read(bytes, bytes.length, MAX_BYTES)
    if (outcome === 'incomplete') return
    stop()
    socket.unshift(bytes)
    callback(hello)
  }
  socket.on('readable', read).on('close', stop).on('error', ignore)
}

/** 'close' follows. */
function ignore(): void {}
