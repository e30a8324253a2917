// Tells the primary which clients had connections cut. What comes within a tenth of a second goes in one message.

import type { Socket } from 'node:net'
import { type CutConnections, type CutReason, MAX_CUTS } from '../cut-messages.ts'
import type { Runtime } from '../runtime.ts'

const PAUSE_MS = 100

export class CutReports {
  private readonly runtime: Pick<Runtime, 'send'>
  private readonly cuts = new Map<string, CutConnections>()
  private timer: NodeJS.Timeout | undefined

  constructor(runtime: Pick<Runtime, 'send'>) {
    this.runtime = runtime
  }

  /** A client on a unix socket has no address, and is not reported. */
  record(listener: number, { remoteAddress: address }: Pick<Socket, 'remoteAddress'>, reason: CutReason): void {
    if (address === undefined) return
    const key = `${listener} ${reason} ${address}`
    const count = (this.cuts.get(key)?.count ?? 0) + 1
    if (count === 1 && this.cuts.size >= MAX_CUTS) return
    this.cuts.set(key, { listener, address, reason, count })
    this.timer ??= setTimeout(this.report, PAUSE_MS).unref()
  }

  private readonly report = (): void => {
    this.timer = undefined
    this.runtime.send({ switchyard: 'cuts', cuts: [...this.cuts.values()] })
    this.cuts.clear()
  }
}
