// A worker at the other end of a line, and clients at a door: what the contracts of channel and load board are run with.

import { type ChildProcess, fork } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { until, untilEvent } from '../../../test/support/until.ts'
import type { Acceptor, Arrival, ChannelListener, Connection, Question, Transport, WorkerLink } from '../src/index.ts'

const fixture = fileURLToPath(new URL('fixtures/claimer.fixture.ts', import.meta.url))
export const HEAD = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
export const LIMITS = {
  maxHeadBytes: 1024,
  headTimeoutMs: 5000,
  maxUnrouted: 100,
  maxUnroutedPerAddress: 100,
  descriptorShare: 0.9,
  lingerTimeoutMs: 500,
  maxResting: 10,
  onHangUp: () => {},
}

export interface Client {
  readonly socket: Socket
  readonly arrival: Arrival
  said(): string
}

/** A door whose arrivals are the test's. */
export class ContractAcceptor {
  readonly acceptor: Acceptor
  private readonly arrivals: Arrival[] = []
  private port = 0

  constructor(transport: Transport) {
    this.acceptor = transport.openAcceptor({ ...LIMITS, onArrival: (arrival) => this.arrivals.push(arrival), onBatchEnd: () => {} })
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

  /** A client that has arrived. */
  async client(first: string | Buffer = HEAD): Promise<Client> {
    const before = this.arrivals.length
    const socket = connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true })
    let said = ''
    socket.on('data', (chunk) => {
      said += chunk
    })
    socket.on('error', () => {})
    socket.write(first)
    await until(() => this.arrivals.length > before, 3000, 'an arrival')
    return { socket, arrival: this.last, said: () => said }
  }
}

/** What a worker has made its primary hear. */
export interface Heard {
  turned: number
  readonly questions: Question[]
  readonly givenBack: Connection[]
}

export class ContractWorker {
  readonly link: WorkerLink
  readonly process: ChildProcess
  readonly heard: Heard = { turned: 0, questions: [], givenBack: [] }
  readonly exited: Promise<void>

  constructor(openLink: (listener: ChannelListener) => WorkerLink) {
    this.link = openLink({
      onGivenBack: (connection) => this.heard.givenBack.push(connection),
      onAsked: (question) => this.heard.questions.push(question),
      onTurned: () => {
        this.heard.turned++
      },
      onBatchEnd: () => {},
    })
    this.process = fork(fixture, [JSON.stringify(this.link.ends)], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...this.link.stdio],
    })
    this.link.started(this.process)
    this.exited = new Promise((resolve) => this.process.once('exit', () => this.link.afterExit(resolve)))
  }

  /** Resolves when it has heard the first mode. */
  async up(mode: string): Promise<this> {
    await untilEvent(this.process, 'message')
    await this.mode(mode)
    return this
  }

  async mode(mode: string): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      const listen = (message: { mode?: string }) => {
        if (message.mode !== mode) return
        this.process.off('message', listen)
        resolve()
      }
      this.process.on('message', listen)
    })
    this.process.send(mode)
    await heard
  }

  async close(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL')
    await this.exited
    this.link.channel.close()
  }
}
