// Stops the reads of a connection under an HTTP/2 session for a moment. The session reads from the libuv handle, past the socket, which therefore can't be paused.

import type { Socket } from 'node:net'

interface ReadHandle {
  readStart(): number
  readStop(): number
}

/** What comes stays in the kernel until the result is called. libuv ends its own loop of reads, too. */
export function holdReads(socket: Socket): () => void {
  const { _handle: handle } = socket as unknown as { readonly _handle?: ReadHandle | null }
  if (handle === null || handle === undefined) return () => {}
  handle.readStop()
  return () => {
    if ((socket as unknown as { readonly _handle?: ReadHandle | null })._handle === handle) handle.readStart()
  }
}
