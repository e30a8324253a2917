// A primary makes room for a new one: it starts it, waits until it serves, and from then on passes on what it has not begun itself.

import { closeSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { type Acceptor, listeningDescriptor, type Passage, type Passed, type Transport } from '@switchyard/handoff'
import type { Pool } from '../dispatch/pool.ts'
import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import { folderAsWritten } from '../system/written-path.ts'
import { isChildOfInit, PRIMARY_OF_CONTAINER } from './container.ts'
import type { ExtraSockets } from './extra-sockets.ts'
import { type HandedOver, PROTOCOL_VERSION } from './messages.ts'
import { NewPrimaryProcess, type OwnSocket } from './new-primary-process.ts'
import { ownCommand } from './restart-command.ts'
import { portionsOf, type StateTransfer } from './state-transfer.ts'

/** What is passed on must have left when this process ends; the other side is slow, or gone, if it takes longer. */
const LAST_MS = 5000
const POLL_MS = 5
/** From its start until it has read its config. */
const BEGIN_MS = 30_000
const SETTLED_MS = 2000

// The config may change the folder, so it is read now.
const startedIn = process.cwd()
const writtenFolder = folderAsWritten(process.env.PWD, startedIn)

export interface OldPrimaryOptions {
  readonly transport: Transport
  readonly acceptor: Acceptor
  readonly events: BalancerEmitter
  readonly extraSockets: ExtraSockets
  readonly pools: () => Iterable<Pool>
  /** The listening sockets with what a successor must know of each. */
  readonly sockets: () => readonly OwnSocket[]
  readonly handedOver: () => HandedOver
  readonly transfers: readonly StateTransfer[]
  readonly startTimeoutMs: () => number
  /** These listeners live on in the successor. */
  readonly onTaken: (numbers: readonly number[]) => void
  /** The successor serves: this primary drains and leaves. */
  readonly leave: () => void
  /** The successor passes a connection to this primary, whose worker it is bound to. */
  readonly takeIn: (passed: Passed) => void
  readonly onBatchEnd: () => void
}

export class OldPrimary {
  /** Connections that went to the successor. */
  passedOn = 0
  private readonly options: OldPrimaryOptions
  /** From start to the end of this process. */
  private newPrimaryProcess: NewPrimaryProcess | undefined
  private passage: Passage | undefined
  private serves = false
  /** What of this primary's memory the successor knows, and hears of when it changes. */
  private transferred: readonly StateTransfer[] = []
  private underWay: Promise<void> = Promise.resolve()
  private settled: Promise<void> = Promise.resolve()

  constructor(options: OldPrimaryOptions) {
    this.options = options
  }

  /** Does what comes to this primary go to its successor? */
  get isPassing(): boolean {
    return this.serves && this.passage !== undefined
  }

  /** Does a successor serve? */
  get hasNewPrimary(): boolean {
    return this.serves
  }

  /**
   * Starts a successor and resolves with a sentence when it serves. Rejects with BalancerError ERR_UPGRADE_FAILED, and everything is as before, or with
   * ERR_BUSY. `obstacle`: why there can be no upgrade now.
   */
  async upgrade(obstacle: string | undefined): Promise<string> {
    const why = this.serves ? 'a successor serves already' : this.options.acceptor.isAccepting ? obstacle : 'this primary does not serve'
    if (why !== undefined) throw new BalancerError('ERR_BUSY', `no upgrade now: ${why}`, { source: 'system', retryable: true })
    const succeeding = this.succeed()
    this.underWay = succeeding.then(
      () => {},
      () => {},
    )
    try {
      return await succeeding
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause)
      throw new BalancerError('ERR_UPGRADE_FAILED', `the successor did not come up, everything is as before: ${said}`, {
        source: 'system',
        cause,
      })
    }
  }

  /** This primary stops: a successor that does not serve yet is not wanted any more. Resolves when there is none. */
  async cancel(): Promise<void> {
    if (this.serves) return
    this.newPrimaryProcess?.cancel('this primary was stopped')
    await this.underWay
  }

  /** Passes a connection on; it is the caller's no more. */
  pass(passed: Passed): void {
    if (this.passage?.pass(passed) === true) this.passedOn++
    else this.options.acceptor.drop(passed.connection.fd)
  }

  /** Something has changed in this primary's memory. */
  tell(name: string, entry: object): void {
    if (this.transferred.some((transfer) => transfer.name === name)) this.newPrimaryProcess?.pass(name, [entry])
  }

  /** Passes on all that no worker has been offered. */
  passAll(): void {
    const { acceptor, pools } = this.options
    acceptor.handOver({
      onPending: (connection) => this.pass({ connection }),
      onResting: (connection, timeoutMs) => this.pass({ connection, rest: { timeoutMs } }),
    })
    for (const { queue } of pools()) {
      for (const { arrival } of queue.removeAll()) {
        const { fd, tag, carried } = arrival
        acceptor.unwatchHangUp(fd)
        this.pass({ connection: { fd, tag, carried } })
      }
    }
  }

  /** No worker is left: nothing more will come, and what is on its way is seen off. */
  async end(): Promise<void> {
    const { newPrimaryProcess, passage } = this
    if (newPrimaryProcess === undefined || !this.serves) return
    await this.settled
    if (passage !== undefined) {
      await newPrimaryProcess.part(LAST_MS).catch(() => {})
      passage.readAll()
      for (let waitedMs = 0; passage.unsent > 0 && waitedMs < LAST_MS; waitedMs += POLL_MS) await pause(POLL_MS)
      passage.close()
    }
    newPrimaryProcess.close()
  }

  private async succeed(): Promise<string> {
    const { transport, events, startTimeoutMs, onTaken, onBatchEnd, transfers } = this.options
    if (process.pid === 1 || isChildOfInit()) throw new Error(PRIMARY_OF_CONTAINER)
    const takeIn = (passed: Passed): void => this.options.takeIn(passed)
    const opened = transport.passages?.open({ onPassed: takeIn, onBatchEnd })
    let newPrimaryProcess: NewPrimaryProcess
    let serving: { readonly takes: boolean; readonly taken: readonly number[] }
    try {
      newPrimaryProcess = this.start(opened?.remote)
      this.progress(`pid ${newPrimaryProcess.pid} starts`)
      const { workers, takes, heirlooms: wanted = [] } = await newPrimaryProcess.ready(Math.max(BEGIN_MS, startTimeoutMs()))
      this.progress(`pid ${newPrimaryProcess.pid} is ready with ${workers} ${workers === 1 ? 'worker' : 'workers'}`)
      await this.bequeath(
        newPrimaryProcess,
        transfers.filter(({ name }) => wanted.includes(name)),
      )
      serving = { takes, ...(await newPrimaryProcess.admit(startTimeoutMs())) }
    } catch (error) {
      for (const transfer of this.transferred) transfer.resume?.()
      this.transferred = []
      opened?.passage.close()
      await this.newPrimaryProcess?.abandon()
      this.newPrimaryProcess = undefined
      throw error
    }
    if (serving.takes) this.passage = opened?.passage
    else opened?.passage.close()
    this.serves = true
    for (const transfer of this.transferred) transfer.surrender?.((entry) => newPrimaryProcess.pass(transfer.name, [entry]))
    onTaken(serving.taken)
    events.emit('handedOver', { pid: newPrimaryProcess.pid })
    newPrimaryProcess.recognise()
    // Whoever has asked for the upgrade asks the new one from then on.
    this.settled = newPrimaryProcess.settled(SETTLED_MS).catch(() => {})
    this.options.leave()
    await this.settled
    return `pid ${newPrimaryProcess.pid} serves; pid ${process.pid} finishes what it has begun and leaves`
  }

  /** `remote`: its end of the passage. */
  private start(remote: number | undefined): NewPrimaryProcess {
    const { acceptor, extraSockets, handedOver, sockets } = this.options
    try {
      this.newPrimaryProcess = new NewPrimaryProcess({
        command: ownCommand(process, writtenFolder, startedIn),
        env: { ...process.env, ...extraSockets.env },
        startMessage: { ...handedOver(), version: PROTOCOL_VERSION, pid: process.pid, peeks: acceptor.peeks },
        sockets: [...sockets(), ...lent(extraSockets)],
        passage: remote,
      })
      return this.newPrimaryProcess
    } finally {
      if (remote !== undefined) closeSync(remote)
    }
  }

  /** What changes while it is copied is told behind the copy. */
  private async bequeath(newPrimaryProcess: NewPrimaryProcess, transfers: readonly StateTransfer[]): Promise<void> {
    this.transferred = transfers
    newPrimaryProcess.onAnswer((name, entries) => {
      const transfer = transfers.find((one) => one.name === name)
      for (const entry of entries) transfer?.answer?.(entry)
    })
    await newPrimaryProcess.bequeath(transfers, this.options.startTimeoutMs())
    for (const transfer of transfers) {
      for (const portion of portionsOf(transfer.freeze?.() ?? [])) newPrimaryProcess.pass(transfer.name, portion)
    }
  }

  private progress(message: string): void {
    this.options.events.emit('operationProgressed', { name: 'upgrade', message })
  }
}

function lent({ servers }: ExtraSockets): OwnSocket[] {
  return servers.flatMap(({ server, askedPort }) => {
    const fd = listeningDescriptor(server)
    if (fd === undefined) return []
    const { address: host, port } = server.address() as AddressInfo
    return [{ fd, host, port, path: undefined, askedPort, ipv6Only: false, isManaged: false }]
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
