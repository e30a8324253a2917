// Starts an example as its README says, on a port that the kernel chooses, and sends requests to it.

import { request } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert } from '../../../test/suite.ts'
import { patience } from '../../../test/support/patience.ts'
import { type LoggedChild, spawnLogged } from '../../../test/support/spawn.ts'

const examples = fileURLToPath(new URL('..', import.meta.url))
const command = fileURLToPath(new URL('../../balancer/bin/balancer.js', import.meta.url))

/** A running example. */
export interface RunningExample {
  /** As the balancer prints it, such as `127.0.0.1:41234`. */
  readonly address: string
  readonly port: number
  readonly url: string
  readonly child: LoggedChild
  /** What `balancer advise` says now: kind and subject of each piece. */
  advice(): Promise<string[]>
  /** Checks that there is no advice on a sound example, sends SIGTERM, and checks that it ends in order. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** How many workers to wait for, over all pools: the balancer serves from the first one on. */
  readonly workers: number
  /** Arguments after `balancer start`. Left out: on a free port of 127.0.0.1. */
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** `balancer start …` in the folder of an example; resolves when all its workers are ready. */
export async function startExample(name: string, options: StartOptions): Promise<RunningExample> {
  const { workers, args = ['--listen', '127.0.0.1:0'], env = {} } = options
  const child = spawnLogged(process.execPath, [command, 'start', ...args, '--admin', 'off', '--no-pretty'], {
    cwd: join(examples, name),
    env: { ...process.env, ...env },
  })
  const [, address = ''] = await child.untilOutput(/"addresses":\["([^"]+)"/, 20_000)
  await child.untilOutput(new RegExp(`(?: ready after [^]*){${workers}}`), 20_000)
  const port = Number(address.slice(address.lastIndexOf(':') + 1))
  return {
    address,
    port,
    url: `http://127.0.0.1:${port}`,
    child,
    advice: () => adviceOf(child),
    async stop() {
      // The balancer ends in any case.
      const advice = await adviceOf(child).catch((error: unknown) => [String(error)])
      await child.stop(10_000)
      assert.equal(advice, [], 'a sound example gets no advice')
      assert.equal(await child.ended, { code: 0, signal: null }, child.output())
    },
  }
}

async function adviceOf(child: LoggedChild): Promise<string[]> {
  const [line] = await child.untilOutput(/.*"msg":"ready: .*/, 20_000)
  const [, socketPath] = /"control":"([^"]+)"/.exec(line) ?? []
  // The second balancer of a folder has no control socket.
  if (socketPath === undefined) return []
  const text = await new Promise<string>((resolve, reject) => {
    const asked = request({ socketPath, path: '/advice' }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        body += piece
      })
      response.once('error', reject).once('end', () => resolve(body))
    })
    asked.setTimeout(patience(10_000), () => asked.destroy(new Error('no advice within time')))
    asked.once('error', reject).end()
  })
  const { isOn, advice } = JSON.parse(text) as { isOn: boolean; advice: { kind: string; subject: string }[] }
  assert.ok(isOn)
  return advice.map(({ kind, subject }) => `${kind} ${subject}`)
}

/** The same example twice, with two workers each, as on two machines with something in common; see `startExample`. */
export function startTwo(name: string, env: NodeJS.ProcessEnv): Promise<[RunningExample, RunningExample]> {
  const options = { workers: 2, env }
  return Promise.all([startExample(name, options), startExample(name, options)])
}

/** The output of a command such as `explain`, run in the folder of an example. */
export async function runCommand(name: string, args: readonly string[]): Promise<string> {
  const child = spawnLogged(process.execPath, [command, ...args], { cwd: join(examples, name) })
  await child.ended
  return child.stdout()
}

export interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Left out: a new connection. */
  readonly agent?: import('node:http').Agent
  readonly timeoutMs?: number
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: each test knows its example
  readonly json: any
}

/** One request and its whole answer. Rejects after `timeoutMs`, default 10,000 on a quiet machine. */
export function ask(
  example: RunningExample,
  path: string,
  { method = 'GET', headers = {}, body, agent, timeoutMs = 10_000 }: Question = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: example.port, path, method, headers: { ...headers }, agent: agent ?? false })
    const boundMs = patience(timeoutMs)
    const timer = setTimeout(() => asked.destroy(new Error(`${method} ${path}: no answer within ${boundMs} ms`)), boundMs)
    asked.once('close', () => clearTimeout(timer))
    asked.once('error', reject)
    asked.once('response', (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.once('error', reject)
      response.once('end', () => {
        const whole = Buffer.concat(pieces)
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: whole,
          get text() {
            return whole.toString()
          },
          get json() {
            return JSON.parse(whole.toString())
          },
        })
      })
    })
    asked.end(body)
  })
}

/** `count` answers, each over its own connection, all under way at once. */
export function askAtOnce(example: RunningExample, count: number, path: string, question: Question = {}): Promise<Answer[]> {
  return Promise.all(Array.from({ length: count }, () => ask(example, path, question)))
}

/** Each value once. */
export function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}
