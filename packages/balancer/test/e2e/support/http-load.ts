// HTTP/1 clients that check every answer, in every state that a connection may be in when its worker is replaced: kept or new, in the middle of
// a head or a body, pipelined, idle.

import { createHash } from 'node:crypto'
import { type Answer, RawClient, thinkTime } from './raw-client.ts'
import type { ReloadedBalancer } from './reloaded-balancer.ts'
import { movesConnections } from './running-balancer.ts'
import type { Tally } from './tally.ts'

/** Shared by all clients of a run. */
export interface LoadRun {
  readonly target: ReloadedBalancer
  /** 0 to 1, from the seed. */
  readonly random: () => number
  readonly tally: Tally
  /** Longest pause of an HTTP client between two requests. */
  readonly pauseMs: number
  isOver(): boolean
}

/**
 * `kept`: one connection for many requests. `new`: one for each request, with `Connection: close`. `1.0`: kept by HTTP/1.0. `idle`: kept, with
 * long pauses.
 */
export type ConnectionKind = 'kept' | 'new' | '1.0' | 'idle'

const ANSWER_MS = 5_000
const MOST_TICKET_MS = 1_000
const PATHS = ['/', '/', '/', '/key/', '/ticket/', '/heavy/']
const BIG_HASH = hashOf(Buffer.alloc(200_000, 'switchyard '))

interface Sent {
  readonly what: string
  readonly method: string
  /** Each piece is one write. */
  readonly pieces: readonly Buffer[]
  readonly waitsForContinue: boolean
  readonly isRight: (answer: Answer) => boolean
}

/** Sends requests until the run is over. Never rejects. */
export async function runHttpClient(run: LoadRun, kind: ConnectionKind): Promise<void> {
  const client = new HttpClient(run, kind)
  while (!run.isOver()) {
    await client.useConnection()
    if (run.pauseMs > 0) await pause(run.random() * run.pauseMs)
  }
}

class HttpClient {
  private readonly run: LoadRun
  private readonly kind: ConnectionKind
  private ticket: string | undefined
  /** The ticket is dropped then, because a worker drains until no client uses a ticket of it. */
  private ticketUntilMs = 0
  /** Unanswered requests of a closed connection, which are sent again. */
  private unanswered: Sent[] = []
  private asking: readonly Sent[] = []

  constructor(run: LoadRun, kind: ConnectionKind) {
    this.run = run
    this.kind = kind
  }

  /** Opens a connection, sends requests for a while, and closes it. */
  async useConnection(): Promise<void> {
    const { run, kind } = this
    const client = new RawClient(run.target.port)
    const most = kind === 'new' ? 1 : 1 + Math.floor(run.random() * 200)
    try {
      await client.connected()
      run.tally.count('connections')
      for (let asked = 0; asked < most && !run.isOver(); asked++) {
        const batch = this.unanswered.splice(0)
        if (batch.length === 0) batch.push(...this.nextBatch())
        if (!(await this.ask(client, batch, asked === 0))) break
        if (kind === 'idle' && run.random() < 0.2) await pause(run.random() * 3_000)
        else if (run.pauseMs > 0) await pause(run.random() * run.pauseMs)
      }
    } catch (error) {
      this.fault(client, error as Error)
    } finally {
      client.destroy()
    }
  }

  /** False: the connection can't be used any more. */
  private async ask(client: RawClient, batch: Sent[], isFirst: boolean): Promise<boolean> {
    const { target, tally } = this.run
    const { done } = target
    this.asking = batch
    if (!(await this.send(client, batch))) return this.sendAgain(client, batch, isFirst)
    while (batch.length > 0) {
      const { what, method, isRight } = batch[0] as Sent
      let answer: Answer
      try {
        answer = await client.answer(ANSWER_MS, method)
        if (answer.status === 100) continue
      } catch (error) {
        if (!client.isOver || client.unread > 0) throw error
        return this.sendAgain(client, batch, isFirst)
      }
      batch.shift()
      tally.count(`raw ${this.kind}`)
      const { status, headers, body } = answer
      if (status !== 200) tally.fault(`status ${status}`, `${what}: ${body.toString().slice(0, 80)}`)
      else if (!isRight(answer)) tally.fault('wrong answer', `${what}: ${body.toString().slice(0, 80)}`)
      const stale = status === 200 ? target.releaseFault(answer, done) : undefined
      if (stale !== undefined) tally.fault('wrong release', `${what}: ${stale}`)
      const ticket = headers.get('set-cookie')?.[0]
      if (ticket !== undefined) this.keepTicket(ticket)
      if (headers.get('connection')?.[0]?.toLowerCase() !== 'close' || this.kind === 'new') continue
      if (movesConnections) tally.fault('told to close', what)
      tally.count('told to close')
      this.unanswered.push(...batch)
      return false
    }
    return this.kind !== 'new'
  }

  private keepTicket(cookie: string): void {
    this.ticket = cookie.split(';')[0]
    this.ticketUntilMs = performance.now() + this.run.random() * MOST_TICKET_MS
  }

  /**
   * Over the portable channel the server may close a connection between two requests. An HTTP client repeats a request that it sent at that
   * moment. Then the kernel reports EPIPE if the request arrived after the close, and no error if it did not.
   */
  private sendAgain(client: RawClient, batch: readonly Sent[], isFirst: boolean): boolean {
    const wasReset = client.error !== undefined && client.error.code !== 'EPIPE'
    if (movesConnections || isFirst || wasReset) throw new Error('ended without an answer')
    this.run.tally.count('sent again', batch.length)
    this.unanswered.push(...batch)
    return false
  }

  /** False: the server has closed the connection meanwhile. */
  private async send(client: RawClient, batch: readonly Sent[]): Promise<boolean> {
    for (const { pieces, waitsForContinue } of batch) {
      for (const [index, piece] of pieces.entries()) {
        if (client.isOver) return false
        client.write(piece)
        if (index === pieces.length - 1) break
        if (waitsForContinue) await client.bytes(25, ANSWER_MS)
        else await pause(this.run.random() < 0.1 ? this.run.random() * 50 : 0)
      }
    }
    return true
  }

  private fault(client: RawClient, error: Error): void {
    const { code } = (client.error ?? error) as NodeJS.ErrnoException
    const kind = code ?? (/not within/.test(error.message) ? 'timed out' : 'broken off')
    this.run.tally.fault(kind, `${this.kind}, ${this.asking.map(({ what }) => what).join(' + ')}: ${error.message}`)
    this.unanswered = []
  }

  private nextBatch(): Sent[] {
    const { random } = this.run
    const isPipelined = (this.kind === 'kept' || this.kind === 'idle') && random() < 0.05
    return Array.from({ length: isPipelined ? 2 + Math.floor(random() * 3) : 1 }, () => this.next(isPipelined))
  }

  private next(isPipelined: boolean): Sent {
    const { random } = this.run
    const chance = random()
    if (chance < 0.02) return this.get(`/slow?ms=${Math.floor(random() * 200)}`, (body) => body.toString() === 'ok')
    if (chance < 0.04) return this.get('/big', (body) => hashOf(body) === BIG_HASH)
    let path = PATHS[Math.floor(random() * PATHS.length)] as string
    if (path === '/key/') path += `?key=${Math.floor(random() * 20)}`
    if (chance < 0.7) return this.get(path, (body) => body.toString() === 'ok', !isPipelined)
    return this.post(path, isPipelined)
  }

  private get(path: string, isRight: (body: Buffer) => boolean, mayBeCut = false): Sent {
    const head = Buffer.from(`${this.head('GET', path)}\r\n`, 'latin1')
    const cut = mayBeCut && this.run.random() < 0.02 ? 1 + Math.floor(this.run.random() * (head.length - 1)) : 0
    return {
      what: `GET ${path}`,
      method: 'GET',
      pieces: cut > 0 ? [head.subarray(0, cut), head.subarray(cut)] : [head],
      waitsForContinue: false,
      isRight: ({ body }) => isRight(body),
    }
  }

  private post(path: string, isPipelined: boolean): Sent {
    const { random } = this.run
    const body = Buffer.alloc(Math.floor(random() * (random() < 0.05 ? 200_000 : 3_000)), `${random()}`)
    const isChunked = this.kind !== '1.0' && random() < 0.2
    const waitsForContinue = this.kind !== '1.0' && !isPipelined && random() < 0.02
    const fields = `${isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`}\r\n${waitsForContinue ? 'Expect: 100-continue\r\n' : ''}`
    const head = Buffer.from(`${this.head('POST', path)}${fields}\r\n`, 'latin1')
    const coded = isChunked ? inChunks(body) : body
    const isSlow = !isPipelined && random() < 0.1
    const pieces = waitsForContinue ? [head, coded] : isSlow ? cutUp(Buffer.concat([head, coded]), random) : [Buffer.concat([head, coded])]
    const hash = hashOf(body)
    const what = `POST ${path} of ${body.length}${isChunked ? ' in chunks' : ''}${isSlow ? ', slow' : ''}`
    return { what, method: 'POST', pieces, waitsForContinue, isRight: (answer) => answer.body.toString() === hash }
  }

  private head(method: string, path: string): string {
    const version = this.kind === '1.0' ? 'HTTP/1.0' : 'HTTP/1.1'
    const connection = this.kind === 'new' ? 'Connection: close\r\n' : this.kind === '1.0' ? 'Connection: keep-alive\r\n' : ''
    if (performance.now() > this.ticketUntilMs) this.ticket = undefined
    const cookie = this.ticket !== undefined && path.startsWith('/ticket/') ? `Cookie: ${this.ticket}\r\n` : ''
    return `${method} ${path} ${version}\r\nHost: test\r\n${connection}${cookie}`
  }
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function inChunks(body: Buffer): Buffer {
  const half = Math.ceil(body.length / 2)
  const chunk = (part: Buffer) => (part.length === 0 ? [] : [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')])
  return Buffer.concat([...chunk(body.subarray(0, half)), ...chunk(body.subarray(half)), Buffer.from('0\r\n\r\n')])
}

function cutUp(bytes: Buffer, random: () => number): Buffer[] {
  const cuts = [...new Set(Array.from({ length: 3 }, () => 1 + Math.floor(random() * (bytes.length - 1))))].sort(
    (one, other) => one - other,
  )
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length))
}

function pause(ms: number): Promise<void> {
  return ms === 0 ? new Promise((resolve) => setImmediate(resolve)) : thinkTime(ms)
}
