// The old primary's side of an upgrade: it starts the new primary, copies its state, lets it accept, and passes it every connection that no
// worker here has claimed.

import { closeSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Acceptor, listeningDescriptor, type Passage, type Passed, type Transport } from '@switchyard/handoff'
import type { Pool } from '../dispatch/pool.ts'
import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { ExtraSockets } from '../listeners/extra-sockets.ts'
import type { TransferredSocket } from '../listeners/inherited-sockets.ts'
import { batchesOf, type StateTransfer } from '../state-transfer.ts'
import { folderAsWritten } from '../system/written-path.ts'
import { messageOf } from '../thrown-error.ts'
import { type HandedOver, type OldPrimaryMessage, PROTOCOL_VERSION } from './messages.ts'
import { NewPrimaryProcess } from './new-primary-process.ts'
import { restartCommand } from './restart-command.ts'

/**
 * Where an upgrade stands. A failure in `starting`, `copying` or `switching` leads back to `serving`.
 *
 * - `serving`: there is no new primary.
 * - `starting`: the new primary reads its config and starts its workers.
 * - `copying`: it receives this primary's state. This primary still serves.
 * - `switching`: it may accept connections now.
 * - `handedOver`: it serves. This primary passes connections to it until its own workers have exited.
 */
type Phase = 'serving' | 'starting' | 'copying' | 'switching' | 'handedOver'

/** At its end a primary waits for the new one this long, then closes what is not sent. */
const LAST_MS = 5000
const POLL_MS = 5
/** A new primary reads its config within this time, or within the start timeout where that is longer. */
const CONFIG_MS = 30_000
const SETTLED_MS = 2000
/** Init programs of containers, which exit when their only child does. */
const INITS = new Set(['tini', 'docker-init', 'dumb-init', 'catatonit', 'podman-init'])

// The config may change the folder later.
const startedIn = process.cwd()
const writtenFolder = folderAsWritten(process.env.PWD, startedIn)

export interface OldPrimaryOptions {
  readonly transport: Transport
  readonly acceptor: Acceptor
  readonly events: BalancerEmitter
  readonly extraSockets: ExtraSockets
  readonly pools: () => Iterable<Pool>
  /** The listening sockets of the acceptor. */
  readonly sockets: () => readonly TransferredSocket[]
  readonly handedOver: () => HandedOver
  readonly transfers: readonly StateTransfer[]
  readonly startTimeoutMs: () => number
  /** The new primary keeps the listeners with these numbers. */
  readonly onListenersKept: (numbers: readonly number[]) => void
  /** The new primary serves: this one drains and exits. */
  readonly drain: () => void
  /** The new primary passes a connection back, because its ticket names a worker of this primary. */
  readonly onPassed: (passed: Passed) => void
  readonly onBatchEnd: () => void
}

export class OldPrimary {
  /** Connections passed to the new primary. */
  passedOn = 0
  private readonly options: OldPrimaryOptions
  private phase: Phase = 'serving'
  /** Set from `starting` on. */
  private newPrimary: NewPrimaryProcess | undefined
  /** Set in `handedOver`, if the new primary accepts passed connections. */
  private passage: Passage | undefined
  /** Does the new primary read what a proxy said of the client of a passed connection? An older version does not. */
  private passesProxied = false
  /** State that the new primary receives, with every change. Set from `copying` on. */
  private transfers: readonly StateTransfer[] = []
  /** Resolves when the attempt under way has ended. */
  private attempt: Promise<void> = Promise.resolve()
  private settled: Promise<void> = Promise.resolve()

  constructor(options: OldPrimaryOptions) {
    this.options = options
  }

  /** Do connections that come here go to the new primary? */
  get isPassing(): boolean {
    return this.passage !== undefined
  }

  get hasHandedOver(): boolean {
    return this.phase === 'handedOver'
  }

  /**
   * Starts a new primary and resolves with a sentence when it serves. Rejects with BalancerError ERR_UPGRADE_FAILED, and everything is as before, or with
   * ERR_BUSY. `obstacle`: why there can be no upgrade now.
   */
  async upgrade(obstacle: string | undefined): Promise<string> {
    const why = this.hasHandedOver
      ? 'a new primary serves already'
      : this.options.acceptor.isAccepting
        ? obstacle
        : 'this primary does not serve'
    if (why !== undefined) throw new BalancerError('ERR_BUSY', `no upgrade now: ${why}`, { source: 'system', retryable: true })
    const attempt = this.runUpgrade()
    this.attempt = attempt.then(
      () => {},
      () => {},
    )
    try {
      return await attempt
    } catch (cause) {
      const reason = messageOf(cause)
      throw new BalancerError('ERR_UPGRADE_FAILED', `the new primary did not start, the old one serves on: ${reason}`, {
        source: 'system',
        cause,
      })
    }
  }

  /** Cancels an upgrade under way, because this primary stops. Resolves when the new primary has exited. */
  async cancel(): Promise<void> {
    if (this.hasHandedOver) return
    this.newPrimary?.cancel('the old primary was stopped')
    await this.attempt
  }

  /** Passes a connection to the new primary, which owns it from then on. */
  pass(passed: Passed): void {
    const mayPass = passed.connection.proxied === undefined || this.passesProxied
    if (mayPass && this.passage?.pass(passed) === true) this.passedOn++
    else this.options.acceptor.drop(passed.connection.fd)
  }

  /** Sends a change of this primary's state. */
  sendChange(name: string, entry: object): void {
    if (this.transfers.some((transfer) => transfer.name === name)) this.newPrimary?.sendState(name, [entry])
  }

  /** Passes every connection that has not been offered to a worker. */
  passAll(): void {
    const { acceptor, pools } = this.options
    acceptor.handOver({
      onPending: (connection, expectsProxy) => this.pass({ connection, expectsProxy }),
      onResting: (connection, timeoutMs) => this.pass({ connection, rest: { timeoutMs } }),
    })
    for (const { queue } of pools()) {
      for (const { arrival } of queue.removeAll()) {
        const { fd, tag, carried, proxied } = arrival
        acceptor.unwatchHangUp(fd)
        this.pass({ connection: { fd, tag, carried, proxied } })
      }
    }
  }

  /** Ends passing after the last worker has exited. Resolves when nothing is under way between the two primaries. */
  async end(): Promise<void> {
    const { newPrimary, passage } = this
    if (newPrimary === undefined || !this.hasHandedOver) return
    await this.settled
    if (passage !== undefined) {
      await newPrimary.endPassing(LAST_MS).catch(() => {})
      passage.readAll()
      for (let waitedMs = 0; passage.unsent > 0 && waitedMs < LAST_MS; waitedMs += POLL_MS) await pause(POLL_MS)
      passage.close()
    }
    newPrimary.close()
  }

  private async runUpgrade(): Promise<string> {
    if (process.pid === 1 || isChildOfInit()) throw new Error('the container would end with this process: start a new container instead')
    const { onPassed, onBatchEnd, transport } = this.options
    const opened = transport.passages?.open({ onPassed, onBatchEnd })
    let newPrimary: NewPrimaryProcess
    let isPassing: boolean
    let keptListeners: readonly number[]
    try {
      newPrimary = this.startProcess(opened?.remote)
      const ready = await this.untilReady(newPrimary)
      isPassing = ready.isPassing
      this.passesProxied = ready.readsProxied === true
      await this.copyState(newPrimary, ready.transfers ?? [])
      keptListeners = await this.switchOver(newPrimary)
    } catch (error) {
      await this.rollBack(opened?.passage)
      throw error
    }
    if (!isPassing) opened?.passage.close()
    return this.handOver(newPrimary, keptListeners, isPassing ? opened?.passage : undefined)
  }

  /** `passageFd`: the new primary's end of the passage. */
  private startProcess(passageFd: number | undefined): NewPrimaryProcess {
    this.phase = 'starting'
    const { acceptor, extraSockets, handedOver, sockets } = this.options
    try {
      this.newPrimary = new NewPrimaryProcess({
        command: restartCommand(process, writtenFolder, startedIn),
        env: { ...process.env, ...extraSockets.env },
        startMessage: { ...handedOver(), version: PROTOCOL_VERSION, pid: process.pid, peeks: acceptor.peeks, readsProxied: true },
        sockets: [...sockets(), ...transferredFrom(extraSockets)],
        passage: passageFd,
      })
      return this.newPrimary
    } finally {
      if (passageFd !== undefined) closeSync(passageFd)
    }
  }

  private async untilReady(newPrimary: NewPrimaryProcess): Promise<OldPrimaryMessage<'ready'>> {
    this.progress(`pid ${newPrimary.pid} starts`)
    const ready = await newPrimary.untilReady(Math.max(CONFIG_MS, this.options.startTimeoutMs()))
    this.progress(`pid ${newPrimary.pid} is ready with ${ready.workers} ${ready.workers === 1 ? 'worker' : 'workers'}`)
    return ready
  }

  /** Copies the state that the new primary wants. Changes during the copy are sent after it. */
  private async copyState(newPrimary: NewPrimaryProcess, names: readonly string[]): Promise<void> {
    this.phase = 'copying'
    const transfers = this.options.transfers.filter(({ name }) => names.includes(name))
    this.transfers = transfers
    newPrimary.onAnswer((name, entries) => {
      const transfer = transfers.find((one) => one.name === name)
      for (const entry of entries) transfer?.onAnswer?.(entry)
    })
    await newPrimary.copyState(transfers, this.options.startTimeoutMs())
    for (const transfer of transfers) {
      for (const batch of batchesOf(transfer.freeze?.() ?? [])) newPrimary.sendState(transfer.name, batch)
    }
  }

  /** Lets the new primary accept connections. Resolves with the numbers of the listeners that it keeps. */
  private async switchOver(newPrimary: NewPrimaryProcess): Promise<readonly number[]> {
    this.phase = 'switching'
    return (await newPrimary.accept(this.options.startTimeoutMs())).listeners
  }

  private async rollBack(passage: Passage | undefined): Promise<void> {
    for (const transfer of this.transfers) transfer.resume?.()
    this.transfers = []
    passage?.close()
    await this.newPrimary?.stop()
    this.newPrimary = undefined
    this.phase = 'serving'
  }

  private async handOver(newPrimary: NewPrimaryProcess, keptListeners: readonly number[], passage: Passage | undefined): Promise<string> {
    const { events, onListenersKept, drain } = this.options
    this.passage = passage
    this.phase = 'handedOver'
    for (const transfer of this.transfers) transfer.onNewPrimaryServes?.((entry) => newPrimary.sendState(transfer.name, [entry]))
    onListenersKept(keptListeners)
    events.emit('handedOver', { pid: newPrimary.pid })
    newPrimary.becomeMainProcess()
    // The command that asked for the upgrade asks the new primary for its status next.
    this.settled = newPrimary.untilSettled(SETTLED_MS).catch(() => {})
    drain()
    await this.settled
    return `pid ${newPrimary.pid} serves; pid ${process.pid} finishes its requests and exits`
  }

  private progress(message: string): void {
    this.options.events.emit('operationProgressed', { name: 'upgrade', message })
  }
}

/** Is this process the only child of a container's init program? The container ends with such a process. */
export function isChildOfInit(parentPid: number = process.ppid): boolean {
  if (parentPid !== 1) return false
  try {
    return INITS.has(readFileSync('/proc/1/comm', 'utf8').trim())
  } catch {
    return false
  }
}

function transferredFrom({ servers }: ExtraSockets): TransferredSocket[] {
  return servers.flatMap(({ server, askedPort }) => {
    const fd = listeningDescriptor(server)
    if (fd === undefined) return []
    const { address: host, port } = server.address() as AddressInfo
    return [{ fd, host, port, path: undefined, askedPort, ipv6Only: false, isManaged: false }]
  })
}
