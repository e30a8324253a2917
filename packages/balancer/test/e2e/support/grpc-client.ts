// A client of the fixture grpc-app, over one connection.

import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js'
import { atSuiteEnd } from '../../../../../test/suite.ts'

export interface Answer {
  readonly worker: string
  readonly pid: number
  readonly [field: string]: unknown
}

/** What a call has brought, besides its answer. */
export interface Call {
  readonly answer: Answer
  readonly head: Metadata | undefined
  readonly trailers: Metadata | undefined
}

const toBytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const fromBytes = (bytes: Buffer): Answer => JSON.parse(bytes.toString()) as Answer

export class GrpcClient {
  readonly client: Client

  constructor(port: number) {
    // A pool of its own, so that each client has its own connection.
    this.client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
    atSuiteEnd(() => this.client.close())
  }

  /** Rejects with a ServiceError. */
  unary(method: string, message: unknown = {}, metadata = new Metadata(), options: CallOptions = {}): Promise<Answer> {
    return this.call(method, message, metadata, options).then(({ answer }) => answer)
  }

  call(method: string, message: unknown, metadata = new Metadata(), options: CallOptions = {}): Promise<Call> {
    return new Promise((resolve, reject) => {
      let head: Metadata | undefined
      let trailers: Metadata | undefined
      let answer: Answer | undefined
      const call = this.client.makeUnaryRequest(`/${method}`, toBytes, fromBytes, message, metadata, options, (error, value) => {
        if (error) reject(error)
        else answer = value
      })
      call.on('metadata', (fields: Metadata) => {
        head = fields
      })
      call.on('status', (status) => {
        trailers = status.metadata
        setImmediate(() => answer && resolve({ answer, head, trailers }))
      })
    })
  }

  /** A call that the test cancels; resolves with its error. */
  cancellable(method: string): { cancel(): void; readonly failed: Promise<ServiceError> } {
    let cancel = (): void => {}
    const failed = new Promise<ServiceError>((resolve, reject) => {
      const call = this.client.makeUnaryRequest(`/${method}`, toBytes, fromBytes, {}, (error) =>
        error ? resolve(error) : reject(new Error('the call succeeded')),
      )
      cancel = () => call.cancel()
    })
    return { cancel: () => cancel(), failed }
  }

  async list(method: string, message: unknown): Promise<Answer[]> {
    const all: Answer[] = []
    const call: ClientReadableStream<Answer> = this.client.makeServerStreamRequest(`/${method}`, toBytes, fromBytes, message)
    for await (const one of call) all.push(one as Answer)
    return all
  }

  sum(method: string, numbers: readonly number[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const call = this.client.makeClientStreamRequest(`/${method}`, toBytes, fromBytes, (error, value) => {
        if (error) reject(error)
        else resolve(value as Answer)
      })
      for (const number of numbers) call.write({ number })
      call.end()
    })
  }

  chat(method: string): ClientDuplexStream<unknown, Answer> {
    return this.client.makeBidiStreamRequest(`/${method}`, toBytes, fromBytes)
  }

  close(): void {
    this.client.close()
  }
}
