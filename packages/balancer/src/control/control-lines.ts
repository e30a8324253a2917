// Writes one answer line by line. If the client reads slowly, lines are dropped and counted, so that the primary buffers a bounded amount.

import type { ServerResponse } from 'node:http'

const MAX_UNREAD_BYTES = 1024 * 1024
/** More than the lines that the log's ring keeps. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024

/** One answer. It is over after `end`, or when the client disconnects. */
export class ControlLines {
  private readonly response: ServerResponse
  private readonly lostLine: ((count: number) => unknown) | undefined
  private lost = 0

  /** `lostLine` makes the line that reports how many lines were dropped. Without it, drops are not reported. */
  constructor(response: ServerResponse, lostLine?: (count: number) => unknown) {
    this.response = response
    this.lostLine = lostLine
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' })
    response.flushHeaders()
    response.on('drain', () => this.writeLost())
  }

  get isOver(): boolean {
    return this.response.destroyed || this.response.writableEnded
  }

  write(line: unknown): void {
    this.writeUpTo(MAX_UNREAD_BYTES, line)
  }

  /** For lines of one burst, which no reader is fast enough for. */
  writeKept(line: unknown): void {
    this.writeUpTo(MAX_KEPT_BYTES, line)
  }

  private writeUpTo(maxUnreadBytes: number, line: unknown): void {
    if (this.isOver) return
    if (this.response.writableLength > maxUnreadBytes) {
      this.lost += 1
      return
    }
    this.writeLost()
    this.put(line)
  }

  /** The last line is never dropped. */
  end(line?: unknown): void {
    if (this.isOver) return
    this.writeLost()
    if (line !== undefined) this.put(line)
    this.response.end()
  }

  onOver(listener: () => void): void {
    this.response.once('close', listener)
  }

  private writeLost(): void {
    if (this.lost === 0 || this.isOver) return
    const lost = this.lost
    this.lost = 0
    if (this.lostLine !== undefined) this.put(this.lostLine(lost))
  }

  private put(line: unknown): void {
    this.response.write(`${JSON.stringify(line)}\n`)
  }
}
