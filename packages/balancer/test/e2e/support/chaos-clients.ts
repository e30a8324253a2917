// Clients of the chaos test, which send requests of several kinds without a pause and check every answer. Each request has a name. An
// unanswered request is recorded with the process that had its connection.

import { createHash } from 'node:crypto'
import { get, RawClient, type Target, thinkTime } from './raw-client.ts'
import { movesConnections } from './running-balancer.ts'

const ANSWER_MS = 5_000
const LONGEST_PAUSE_MS = 40
const PIECES = 10

export interface Unanswered {
  readonly name: string
  readonly kind: string
  readonly why: string
  readonly askedMs: number
  readonly atMs: number
  /** The process that had the connection; undefined: the request was the first on it. */
  readonly holder: number | undefined
  /** A part of the answer was received. */
  readonly isCut: boolean
  /** It was answered 502. */
  readonly isBadGateway?: boolean
}

/** Names the requests and records how they ended. */
export class RequestLog {
  answered = 0
  readonly unanswered: Unanswered[] = []

  readonly wrong: string[] = []
  private last = 0

  name(kind: string): string {
    return `${kind}${++this.last}`
  }
}

interface Question {
  readonly kind: string
  readonly bytes: readonly Buffer[]
  readonly expected: string
  readonly name: string
}

export interface ChaosClientOptions {
  readonly target: Target
  readonly log: RequestLog
  readonly random: () => number
}

/** One client with one connection at a time. */
export class ChaosClient {
  private readonly options: ChaosClientOptions
  private client: RawClient | undefined
  /** The process of the last answer; over the portable channel of the first answer, since a later one may be forwarded. */
  private holder: number | undefined

  constructor(options: ChaosClientOptions) {
    this.options = options
  }

  /** A small GET, to either pool. */
  async small(isKept: boolean): Promise<void> {
    const name = this.options.log.name('small')
    await this.ask({ kind: 'small', name, bytes: [this.head('GET', this.path(name), isKept)], expected: name }, isKept)
  }

  /** A POST whose body is sent in two pieces. */
  async upload(pauseMs: number, name = this.options.log.name('upload')): Promise<void> {
    const { random } = this.options
    const body = Buffer.alloc(1 + Math.floor(random() * 100_000), name)
    const cut = Math.floor(random() * body.length)
    const expected = createHash('sha256').update(body).digest('hex')
    const head = this.head('POST', this.path(name), true, { 'Content-Length': `${body.length}` })
    await this.ask({ kind: 'upload', name, bytes: [head, body.subarray(0, cut), body.subarray(cut)], expected }, true, pauseMs)
  }

  /** A GET whose answer is sent in pieces. */
  async download(ms: number, name = this.options.log.name('download')): Promise<void> {
    const bytes = [this.head('GET', `${this.path(name)}?do=stream&ms=${ms}`, false)]
    await this.ask({ kind: 'download', name, bytes, expected: `${name};`.repeat(PIECES) }, false)
  }

  /** A slow request: the worker waits, or blocks its loop. */
  async long(what: 'wait' | 'block', ms: number, name = this.options.log.name(what)): Promise<void> {
    await this.ask({ kind: what, name, bytes: [this.head('GET', `/${name}?do=${what}&ms=${ms}`, false)], expected: name }, false)
  }

  /** An upgraded connection that echoes words. */
  async echo(words: number, pauseMs: number, name = this.options.log.name('echo')): Promise<void> {
    const client = new RawClient(this.options.target)
    const askedMs = Date.now()
    let isCut = false
    try {
      const { status } = await client.write(get(`/${name}`, { Connection: 'Upgrade', Upgrade: 'echo' })).answer(ANSWER_MS)
      if (status !== 101) return void this.options.log.wrong.push(`${name} was answered ${status}`)
      isCut = true
      for (let word = 0; word < words; word++) {
        const sent = `${name}-${word}`
        const echoed = (await client.write(sent).bytes(sent.length, ANSWER_MS)).toString()
        if (echoed !== sent) return void this.options.log.wrong.push(`${sent} came back as ${echoed}`)
        await thinkTime(pauseMs)
      }
      this.options.log.answered++
    } catch (error) {
      this.recordUnanswered({ name, kind: 'echo', askedMs, holder: undefined, isCut }, error)
    } finally {
      client.destroy()
    }
  }

  end(): void {
    this.client?.destroy()
    this.client = undefined
    this.holder = undefined
  }

  private async ask({ kind, name, bytes, expected }: Question, isKept: boolean, pauseMs = 0): Promise<void> {
    const { log, target } = this.options
    // A kept connection may have been closed meanwhile.
    if (!isKept || this.client?.isOver === true) this.end()
    this.client ??= new RawClient(target)
    const { client, holder } = this
    const askedMs = Date.now()
    try {
      for (const [index, piece] of bytes.entries()) {
        if (index > 0) await thinkTime(pauseMs)
        client.write(piece)
      }
      const { status, headers, body } = await client.answer(ANSWER_MS)
      const text = body.toString()
      if (status === 502) this.recordUnanswered({ name, kind, askedMs, holder, isCut: false, isBadGateway: true }, new Error(text))
      else log.answered++
      if (status === 502) return this.end()
      if (status !== 200 || text !== expected) log.wrong.push(`${name} was answered ${status} ${text.slice(0, 80)}`)
      const pid = Number(headers.get('x-pid')?.[0])
      if (movesConnections || holder === undefined) this.holder = pid || undefined
      if (!isKept || pid === 0 || Number.isNaN(pid) || headers.get('connection')?.[0] === 'close') this.end()
    } catch (error) {
      this.recordUnanswered({ name, kind, askedMs, holder, isCut: client.unread > 0 }, error)
      this.end()
    }
  }

  private recordUnanswered(one: Omit<Unanswered, 'why' | 'atMs'>, error: unknown): void {
    this.options.log.unanswered.push({ ...one, why: (error as Error).message, atMs: Date.now() })
  }

  private path(name: string): string {
    return this.options.random() < 0.3 ? `/api/${name}` : `/${name}`
  }

  private head(method: string, path: string, isKept: boolean, fields: Record<string, string> = {}): Buffer {
    const all = { Host: 'test', Connection: isKept ? 'keep-alive' : 'close', ...fields }
    const lines = Object.entries(all).map(([field, value]) => `${field}: ${value}\r\n`)
    return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
  }
}

/** Runs `count` clients until `isOver`. */
export async function runChaosClients(count: number, isOver: () => boolean, options: ChaosClientOptions): Promise<void> {
  const { random } = options
  const each = async (index: number): Promise<void> => {
    const client = new ChaosClient(options)
    while (!isOver()) {
      const kind = (index + Math.floor(random() * 3)) % 5
      if (kind === 0) await client.upload(random() * 20)
      else if (kind === 1) await client.download(random() * 100)
      else if (kind === 2) await client.echo(1 + Math.floor(random() * 5), random() * 20)
      else await client.small(kind === 3 || random() < 0.5)
      await thinkTime(random() * LONGEST_PAUSE_MS)
    }
    client.end()
  }
  await Promise.all(Array.from({ length: count }, (_, index) => each(index)))
}
