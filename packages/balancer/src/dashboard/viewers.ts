// The pages that are open: each gets the same server-sent events. A page that reads slowly misses events, and never makes the primary buffer much.

import type { ServerResponse } from 'node:http'

export const MAX_VIEWERS = 16
/** More than the first event, which has the whole history. */
const MAX_UNREAD_BYTES = 1024 * 1024

interface Viewer {
  readonly response: ServerResponse
  /** false: its session has ended. */
  readonly mayRead: () => boolean
}

export class Viewers {
  private readonly open = new Set<Viewer>()
  private readonly onFirst: () => void
  private readonly onNone: () => void

  /** `onFirst`: a reader looks, before that none did. `onNone`: no reader is left. */
  constructor(onFirst: () => void, onNone: () => void) {
    this.onFirst = onFirst
    this.onNone = onNone
  }

  get count(): number {
    return this.open.size
  }

  /** Answers with a stream of events that begins with what `first` returns. Returns false when there are too many readers. */
  add(response: ServerResponse, headers: Readonly<Record<string, string>>, mayRead: () => boolean, first: () => string): boolean {
    if (this.open.size >= MAX_VIEWERS) return false
    const viewer = { response, mayRead }
    this.open.add(viewer)
    response.on('error', () => {})
    response.once('close', () => {
      if (this.open.delete(viewer) && this.open.size === 0) this.onNone()
    })
    if (this.open.size === 1) this.onFirst()
    response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' })
    response.write(`retry: 2000\n\n${first()}`)
    return true
  }

  send(event: string): void {
    for (const { response, mayRead } of this.open) {
      if (!mayRead()) response.end()
      else if (response.writableLength <= MAX_UNREAD_BYTES) response.write(event)
    }
  }

  /** Ends every stream. */
  close(): void {
    for (const { response } of this.open) response.end()
  }
}

/** One event of a stream. */
export function eventText(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
