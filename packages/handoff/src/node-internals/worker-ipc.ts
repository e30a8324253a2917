// Reads what a worker writes to Node's IPC, in the place of Node, in the primary. Node trusts its child: a line that is no JSON, an
// acknowledgement of nothing, or the descriptor of a file ends the reading process. So Node only writes to a worker, and this file reads:
// bounded, checked, and without descriptors, which the kernel drops.

import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { hasNative, native } from '../native-module.ts'
import { LineReader } from '../pipes/line-reader.ts'
import { readFairly } from '../pipes/read-fairly.ts'

/** Of one message. A longer one is ignored. */
const MAX_MESSAGE_CHARS = 1 << 20
/** Bytes of answers that a worker may leave unread. */
const MAX_UNREAD_BYTES = 1 << 20
const MAX_UNACKNOWLEDGED = 256
/** Time after the exit of the process in which everything that it wrote has been read. Another process may hold the channel open. */
const DRAIN_MS = 200
/** Node keeps messages whose name begins so from listeners of 'message'. */
const INTERNAL = 'NODE_'

export interface WorkerIpcListener {
  /** A message of Node's own protocol, such as that of node:cluster, without acknowledgements and handles. */
  onInternal(message: Record<string, unknown>): void
}

/** The reading side of one worker's IPC. */
export interface WorkerIpc {
  /** Messages that were ignored: no JSON, too long, or impossible. */
  readonly faults: number
  /** Emits a message to Node's listeners. `revise` changes the answers that they send synchronously. Throws what they throw. */
  deliver(message: Record<string, unknown>, revise?: (answer: Record<string, unknown>) => Record<string, unknown>): void
  /** Sends a message of Node's own protocol. */
  reply(message: object): void
}

/** The pipe under the channel, which Node keeps under a symbol. */
interface PipeHandle {
  readonly fd: number
  readonly writeQueueSize: number
  pendingHandle: { close(): void } | null | undefined
  onread(bytes?: ArrayBuffer): void
  readStop(): void
}

interface PrivateChild {
  /** Messages that wait for the acknowledgement of a handle; null: no handle is under way. */
  _handleQueue: unknown[] | null
}

class GuardedIpc implements WorkerIpc {
  faults = 0
  private readonly child: ChildProcess
  private readonly pipe: PipeHandle
  private readonly listener: WorkerIpcListener
  private readonly nodesOnRead: () => void
  private readonly lines = new LineReader({
    maxChars: MAX_MESSAGE_CHARS,
    onLine: (line) => this.onLine(line),
    onTooLong: () => this.faults++,
  })
  private readonly decoder = new StringDecoder('utf8')
  private source: Socket | undefined
  private hasEnded = false

  constructor(child: ChildProcess, pipe: PipeHandle, listener: WorkerIpcListener, canCopy: boolean) {
    this.child = child
    this.pipe = pipe
    this.listener = listener
    this.nodesOnRead = pipe.onread.bind(pipe)
    if (canCopy) this.readCopy()
    else this.readHere()
    child.once('exit', () => {
      if (!child.connected) return
      const timer = setTimeout(() => setImmediate(() => this.end()), DRAIN_MS)
      child.once('disconnect', () => clearTimeout(timer))
    })
  }

  deliver(message: Record<string, unknown>, revise = (answer: Record<string, unknown>) => answer): void {
    const { child } = this
    const { send } = child
    child.send = ((answer: Record<string, unknown>, ...rest: unknown[]) =>
      Reflect.apply(send, child, [revise(answer), ...rest])) as ChildProcess['send']
    try {
      child.emit('internalMessage', message)
    } finally {
      child.send = send
    }
  }

  reply(message: object): void {
    if (this.child.connected) this.child.send(message, () => {})
  }

  /** Reads a copy of the descriptor as a plain stream, which yields bytes only. */
  private readCopy(): void {
    const fd = native().copyDescriptor(this.pipe.fd)
    if (fd === -1) return this.readHere()
    this.pipe.readStop()
    this.source = new Socket({ fd, readable: true, writable: false })
    readFairly(this.source, (bytes) => this.lines.read(this.decoder.write(bytes)))
    this.source.on('error', () => {})
    this.source.once('close', () => this.end())
  }

  /** Without the native module: Node makes handles of received descriptors, which are closed here. */
  private readHere(): void {
    this.pipe.onread = (bytes) => {
      this.pipe.pendingHandle?.close()
      this.pipe.pendingHandle = null
      if (bytes === undefined) this.end()
      else this.lines.read(this.decoder.write(Buffer.from(bytes)))
    }
  }

  /** The worker has closed its end or exited. */
  private end(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.source?.destroy()
    if (!this.child.connected) return
    // Node would wait for an acknowledgement before it emits that the channel is closed.
    inner(this.child)._handleQueue = null
    this.nodesOnRead()
  }

  private onLine(line: string): void {
    const message = parse(line)
    if (message === undefined) {
      this.faults++
      return
    }
    const { cmd, msg } = (message ?? {}) as { cmd?: unknown; msg?: unknown }
    if (!isInternal(cmd)) return this.pass(message)
    if (cmd === 'NODE_HANDLE_ACK' || cmd === 'NODE_HANDLE_NACK') return this.acknowledge(cmd)
    if (this.isClogged) {
      this.faults++
      return
    }
    switch (cmd) {
      case 'NODE_HANDLE':
        // The sender waits for the acknowledgement. Its handle is dropped: a primary has no use for an app's handles.
        this.reply({ cmd: 'NODE_HANDLE_ACK' })
        if (!isInternal((msg as { cmd?: unknown } | null | undefined)?.cmd)) this.pass(msg)
        return
      default:
        this.listener.onInternal(message as Record<string, unknown>)
    }
  }

  /** Node asserts that a handle is under way. */
  private acknowledge(cmd: string): void {
    if (Array.isArray(inner(this.child)._handleQueue)) this.child.emit('internalMessage', { cmd })
    else this.faults++
  }

  /** Emits an app's message to the program that embeds the balancer, if it listens. Its errors do not reach this code. */
  private pass(message: unknown): void {
    if (message !== undefined) process.nextTick(() => this.child.emit('message', message))
  }

  private get isClogged(): boolean {
    return this.pipe.writeQueueSize > MAX_UNREAD_BYTES || (inner(this.child)._handleQueue?.length ?? 0) > MAX_UNACKNOWLEDGED
  }
}

/**
 * Takes over reading from a worker that has just been started. undefined: no process was started. `canCopy`: descriptors can be copied;
 * where they cannot, a descriptor that is no socket still ends this process.
 */
export function readWorkerIpc(child: ChildProcess, listener: WorkerIpcListener, canCopy: boolean = hasNative()): WorkerIpc | undefined {
  const key = Object.getOwnPropertySymbols(child).find(({ description }) => description === 'kChannelHandle')
  const pipe = key === undefined ? undefined : ((child as unknown as Record<symbol, unknown>)[key] as PipeHandle | null | undefined)
  if (pipe === undefined || pipe === null) return undefined
  return new GuardedIpc(child, pipe, listener, canCopy)
}

function inner(child: ChildProcess): PrivateChild {
  return child as unknown as PrivateChild
}

function isInternal(cmd: unknown): cmd is string {
  return typeof cmd === 'string' && cmd.startsWith(INTERNAL)
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
