// A worker behind a link and clients of an acceptor, for the contracts of channel and load board.

import { type ChildProcess, fork } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { compiledFixture } from '../../../test/support/compiled-fixture.ts'
import { until, untilEvent } from '../../../test/support/until.ts'
import type { Acceptor, Arrival, ChannelListener, Connection, Question, Transport, WorkerLink } from '../src/index.ts'

const FIXTURE = new URL('fixtures/claimer.fixture.ts', import.meta.url)
export const HEAD = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
export const LIMITS = {
  maxHeadBytes: 1024,
  headTimeoutMs: 5000,
  maxUnrouted: 100,
  maxUnroutedPerAddress: 100,
  descriptorShare: 0.9,
  lingerTimeoutMs: 500,
  maxResting: 10,
}

export interface Client {
  readonly socket: Socket
  readonly arrival: Arrival
  answer(): string
}

/** An acceptor whose arrivals belong to the test. */
export class ContractAcceptor {
  readonly acceptor: Acceptor
  private readonly arrivals: Arrival[] = []
  private port = 0

  constructor(transport: Transport) {
    this.acceptor = transport.openAcceptor(LIMITS)
    this.acceptor.start({ onArrival: (arrival) => this.arrivals.push(arrival), onHangUp() {}, onBatchEnd() {} })
  }

  async open(): Promise<void> {
    this.port = (await this.acceptor.listen({ host: '127.0.0.1', port: 0 })).port as number
    this.acceptor.accept()
  }

  get last(): Arrival {
    return this.arrivals.at(-1) as Arrival
  }

  get count(): number {
    return this.arrivals.length
  }

  /** Connects a client and waits for its arrival. */
  async client(first: string | Buffer = HEAD): Promise<Client> {
    const before = this.arrivals.length
    const socket = connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true })
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', () => {})
    socket.write(first)
    await until(() => this.arrivals.length > before, 3000, 'an arrival')
    return { socket, arrival: this.last, answer: () => answer }
  }
}

/** What a worker has sent to its primary. */
export interface Received {
  turned: number
  readonly questions: Question[]
  readonly givenBack: Connection[]
}

export class ContractWorker {
  readonly link: WorkerLink
  readonly process: ChildProcess
  readonly received: Received = { turned: 0, questions: [], givenBack: [] }
  readonly exited: Promise<void>

  constructor(openLink: (listener: ChannelListener) => WorkerLink) {
    this.link = openLink({
      onGivenBack: (connection) => this.received.givenBack.push(connection),
      onAsked: (question) => this.received.questions.push(question),
      onTurned: () => {
        this.received.turned++
      },
      onBatchEnd: () => {},
    })
    this.process = fork(compiledFixture(FIXTURE), [JSON.stringify(this.link.ends)], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...this.link.stdio],
    })
    this.link.started(this.process)
    this.exited = new Promise((resolve) => this.process.once('exit', () => this.link.afterExit(resolve)))
  }

  /** Resolves when it has received the first mode. */
  async up(mode: string): Promise<this> {
    await untilEvent(this.process, 'message')
    await this.mode(mode)
    return this
  }

  async mode(mode: string): Promise<void> {
    const confirmed = new Promise<void>((resolve) => {
      const listen = (message: { mode?: string }) => {
        if (message.mode !== mode) return
        this.process.off('message', listen)
        resolve()
      }
      this.process.on('message', listen)
    })
    this.process.send(mode)
    await confirmed
  }

  async close(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL')
    await this.exited
    this.link.channel.close()
  }
}
