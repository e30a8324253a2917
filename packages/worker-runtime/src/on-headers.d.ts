// on-headers ships no types.
declare module 'on-headers' {
  import type { ServerResponse } from 'node:http'
  /** Calls `listener` when the response's head is about to be written. */
  export default function onHeaders(response: ServerResponse, listener: (this: ServerResponse) => void): void
}
