// The part of a primary that draining workers need: an acceptor, and workers in processes of their own. The test chooses the worker of each connection.

import { type ChildProcess, fork } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex, Writable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  type Acceptor,
  type Arrival,
  type Connection,
  FIRST_END_FD,
  type GiveBackReason,
  giveBackReasons,
  HERE,
  type Transport,
  unpackRest,
  type Verdict,
  type WorkerLink,
} from '@switchyard/handoff'
import { sessionDefaults } from '@switchyard/sessions'
import { atSuiteEnd } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { ListenAnswer } from '../../src/listen-protocol.ts'
import { readFromWorker } from '../../src/message-checks.ts'
import type { ToPrimary, ToWorker, WorkerRoute, WorkerStart } from '../../src/protocol.ts'
import { sendStart, startVariable } from '../../src/start-pipe.ts'
import { privateFolder } from './forward-pair.ts'

const APP = fileURLToPath(new URL('../fixtures/drain-app.mjs', import.meta.url))
// The built preload, from which the app imports the runtime too.
const REGISTER = pathToFileURL(fileURLToPath(new URL('../../dist/register.js', import.meta.url))).href
const TOKEN = 'a-token-that-is-hard-to-guess-0123456789'
const SETTLE_MS = 5

export interface WorkerOptions {
  /** Features of the fixture, see drain-app.mjs. */
  readonly app?: object
  readonly pool?: string
  readonly routes?: readonly WorkerRoute[]
  readonly start?: Partial<WorkerStart>
}

export const WEB: WorkerRoute = { name: '/*', match: {}, pool: 'web' }

/** Chooses the worker of a connection; undefined: it waits until the test chooses again. */
export type Choose = (arrival: Arrival) => SmallWorker | undefined

export interface GivenBack {
  readonly from: SmallWorker
  readonly reason: GiveBackReason
  readonly route: number
  readonly restMs: number | undefined
}

export class SmallPrimary {
  readonly acceptor: Acceptor
  readonly workers: SmallWorker[] = []
  readonly givenBack: GivenBack[] = []
  /** Questions of workers, and their answers. */
  verdict: (asker: SmallWorker) => Verdict = () => HERE
  choose: Choose = () => this.workers[0]
  port = 0
  private readonly transport: Transport
  private readonly folder = privateFolder()
  private readonly waiting: Connection[] = []
  private settler: NodeJS.Timeout | undefined
  private lastId = 0

  constructor(transport: Transport) {
    this.transport = transport
    this.acceptor = transport.openAcceptor({
      maxHeadBytes: 16_384,
      headTimeoutMs: 600_000,
      maxUnrouted: 10_000,
      maxUnroutedPerAddress: 10_000,
      descriptorShare: 0.9,
      lingerTimeoutMs: 500,
      maxResting: 10_000,
    })
    this.acceptor.start({ onHangUp: () => {}, onArrival: (arrival) => this.place(arrival), onBatchEnd: () => this.flush() })
    atSuiteEnd(() => this.close())
  }

  async open(): Promise<this> {
    this.port = (await this.acceptor.listen({ host: '127.0.0.1', port: 0 })).port as number
    this.acceptor.accept()
    this.settler = setInterval(() => this.settle(), SETTLE_MS)
    return this
  }

  /** Resolves when the app listens, unless it never does. */
  async start(options: WorkerOptions = {}): Promise<SmallWorker> {
    const worker = new SmallWorker(this, this.transport, this.folder, ++this.lastId, options)
    this.workers.push(worker)
    if ((options.app as { none?: true } | undefined)?.none !== true) await worker.untilMessage('listening')
    return worker
  }

  /** Idle connections that a worker has given back. */
  restsOf(worker: SmallWorker): GivenBack[] {
    return this.givenBack.filter(({ from, reason }) => from === worker && reason === 'rest')
  }

  /** Places the waiting connections. */
  placeWaiting(): void {
    for (const connection of this.waiting.splice(0)) this.readmit(connection)
    this.flush()
  }

  /** Drains a worker as a balancer does: nothing new, then nothing at all, then exit. The test must not choose it any more. */
  async retire(worker: SmallWorker, spreadMs = 0): Promise<void> {
    worker.drain({ last: false, spreadMs })
    await worker.untilMessage('drained')
    worker.drain({ last: true, spreadMs })
    await worker.untilMessage('drained', 2)
    worker.send({ switchyard: 'leave' })
    await worker.exited
  }

  back(worker: SmallWorker, connection: Connection, packed: number): void {
    const reason = giveBackReasons[packed & 0xff] as GiveBackReason
    const restMs = unpackRest(connection.carried)
    this.givenBack.push({ from: worker, reason, route: packed >> 8, restMs })
    if (reason === 'rest') this.acceptor.rest(connection, restMs)
    else this.place(this.acceptor.receiveBack(connection))
  }

  flush(): void {
    for (const { link } of this.workers) link.channel.flush()
  }

  readmit(connection: Connection): void {
    this.place(this.acceptor.readmit(connection))
  }

  async close(): Promise<void> {
    clearInterval(this.settler)
    await Promise.all(this.workers.map((worker) => worker.kill()))
    this.acceptor.close()
    for (const { fd } of this.waiting.splice(0)) this.acceptor.drop(fd)
    rmSync(this.folder, { recursive: true, force: true })
  }

  private place(arrival: Arrival | undefined): void {
    if (arrival === undefined) return
    const worker = this.choose(arrival)
    if (worker === undefined || !this.workers.includes(worker) || !worker.link.channel.offer(arrival, true)) this.waiting.push(arrival)
  }

  private settle(): void {
    for (const { link } of this.workers) for (const connection of link.channel.settle()) this.readmit(connection)
    if (this.waiting.length > 0) this.placeWaiting()
  }
}

export class SmallWorker {
  readonly link: WorkerLink
  readonly process: ChildProcess
  readonly exited: Promise<void>
  readonly privateSocket: string
  /** Its id in forwards. */
  readonly id: number
  /** Messages of its app. */
  readonly appMessages: string[] = []
  private readonly heard: ToPrimary[] = []
  private isOver = false

  constructor(primary: SmallPrimary, transport: Transport, folder: string, id: number, options: WorkerOptions) {
    const { app = {}, pool = 'web', routes = [WEB], start = {} } = options
    this.id = id
    this.link = transport.openLink({
      onGivenBack: (connection, packed) => primary.back(this, connection, packed),
      onAsked: (question) => {
        this.link.channel.answer(question, primary.verdict(this))
        this.link.channel.flush()
      },
      onTurned: () => {},
      onBatchEnd: () => primary.flush(),
    })
    mkdirSync(join(folder, String(this.id)))
    this.privateSocket = join(folder, String(this.id), 'app.sock')
    const data: WorkerStart = {
      pool,
      slot: id,
      generation: 0,
      ends: this.link.ends,
      listenPipe: FIRST_END_FD + this.link.stdio.length + 1,
      privateSocket: this.privateSocket,
      ticketKeys: [{ id: 1, secret: Buffer.alloc(32, 1).toString('base64') }],
      routes,
      trustedProxies: [],
      forwardToken: TOKEN,
      rest: 'never',
      weights: [],
      drainReturnMs: 1000,
      forwardTimeoutMs: 60_000,
      sessions: sessionDefaults,
      ...start,
    }
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc', ...this.link.stdio] as const
    this.process = fork(APP, [], {
      execArgv: ['--import', REGISTER],
      // To Node it is a worker of node:cluster, whose servers ask the primary for sockets.
      env: { ...process.env, NODE_UNIQUE_ID: String(this.id), ...startVariable(stdio.length), APP: JSON.stringify(app) },
      stdio: [...stdio, 'pipe', 'pipe'],
    })
    sendStart(this.process.stdio[stdio.length] as Writable, data)
    this.link.started(this.process)
    answerListens(this.process.stdio[data.listenPipe] as Duplex, primary.port)
    this.link.control?.onFrame((frame) => this.hear(frame))
    this.process.on('message', (message: { app?: string }) => {
      if (typeof message.app === 'string') this.appMessages.push(message.app)
    })
    this.exited = new Promise((resolve) =>
      this.process.once('exit', () =>
        this.link.afterExit(() => {
          this.isOver = true
          primary.workers.splice(primary.workers.indexOf(this), 1)
          this.link.channel.readAll()
          for (const connection of this.link.channel.takeBack()) primary.readmit(connection)
          this.link.channel.close()
          resolve()
        }),
      ),
    )
  }

  get pid(): string {
    return String(this.process.pid)
  }

  send(message: ToWorker): void {
    this.link.control?.send(message)
  }

  drain(order: { last: boolean; spreadMs: number }): void {
    this.send({ switchyard: 'drain', ...order })
  }

  /** Sends a message that the app's message handler knows. */
  sendToApp(test: string, more: object = {}): void {
    this.process.send({ test, ...more })
  }

  /** Number of messages of this kind so far. */
  count(kind: ToPrimary['switchyard']): number {
    return this.heard.filter(({ switchyard }) => switchyard === kind).length
  }

  /** Resolves when this many messages of the kind have come. */
  async untilMessage(kind: ToPrimary['switchyard'], times = 1): Promise<void> {
    await until(
      () => {
        if (this.isOver) throw new Error(`the worker ended before it said '${kind}'`)
        return this.count(kind) >= times
      },
      10_000,
      `'${kind}' × ${times}`,
    )
  }

  /** Resolves when its app has sent this message. */
  async untilAppMessage(what: string): Promise<void> {
    await until(() => this.appMessages.includes(what), 10_000, `the app's "${what}" among ${this.appMessages}`)
  }

  get notices(): string[] {
    return this.heard.flatMap((message) => (message.switchyard === 'notice' ? [message.message] : []))
  }

  async kill(): Promise<void> {
    if (!this.isOver) this.process.kill('SIGKILL')
    await this.exited
  }

  private hear(message: unknown): boolean {
    const ours = readFromWorker(message)
    if (ours !== undefined) this.heard.push(ours)
    return ours !== undefined
  }
}

/** Every server of the app has the one listener. Requests come singly, because the worker waits for each answer. */
function answerListens(pipe: Duplex, port: number): void {
  pipe.on('error', () => {})
  pipe.on('data', (line: Buffer) => {
    const isListen = (JSON.parse(line.toString()) as { ask: string }).ask === 'listen'
    const place: ListenAnswer = { listener: 0, address: { host: '127.0.0.1', port }, isMain: true, standsIn: false }
    pipe.write(`${JSON.stringify(isListen ? place : { errno: 0 })}\n`)
  })
}
