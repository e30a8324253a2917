// npm run bench -- --grpc: calls over one connection, each of which blocks its worker. How much faster are four workers than one? And what do light calls
// pay for that?

import { connect } from 'node:http2'
import { fileURLToPath } from 'node:url'
import { Client, credentials } from '@grpc/grpc-js'
import { type RunningServer, startServer } from './server.ts'
import { inTurn } from './turn.ts'

const BLOCK = { calls: 40, ms: 20 }
const LIGHT_CALLS = 400
/** They show the worker which calls are heavy, and warm up the code. */
const WARM_UP_TURNS = 4
const TURNS = 5
const START_MS = 60_000
const balancer = fileURLToPath(new URL('../../packages/balancer/bin/balancer.js', import.meta.url))
const config = fileURLToPath(new URL('../apps/calls.config.js', import.meta.url))

export const callKinds = ['grpc', 'http'] as const
export type CallKind = (typeof callKinds)[number]

/** By name: how many workers, and whether heavy streams are spread. */
export const callContenders = [
  { name: 'one worker', workers: 1, spread: true },
  { name: 'four workers', workers: 4, spread: true },
  { name: 'four workers, no spread', workers: 4, spread: false },
] as const

export interface CallSample {
  readonly kind: CallKind
  readonly contender: string
  readonly round: number
  /** For all calls of a turn together, the median of the turns. */
  readonly blockingMs: number
  readonly lightMs: number
  /** How many workers have served the calls that block, in the last turn. */
  readonly workers: number
}

/** Sends one call and resolves with the pid of the process that served it. */
type Call = (ms: number | undefined) => Promise<number>

interface Caller {
  readonly call: Call
  close(): void
}

/** Rejects when a call fails. */
export async function measureCalls(rounds: number, progress: (line: string) => void): Promise<CallSample[]> {
  const samples: CallSample[] = []
  for (const kind of callKinds) {
    for (let round = 1; round <= rounds; round++) {
      for (const contender of inTurn(callContenders, round)) {
        const args = ['-i', String(contender.workers), '--config', config, '--admin', 'off', '--log-level', 'info', '--no-pretty']
        const env = { KIND: kind, SPREAD: contender.spread ? 'yes' : 'no' }
        const server = await startServer({ name: contender.name, args: [balancer, 'start', ...args], env }, START_MS)
        try {
          const sample = {
            kind,
            contender: contender.name,
            round,
            ...(await measureTurns(kind, server, contender.spread ? contender.workers : 1)),
          }
          samples.push(sample)
          progress(`${kind}, round ${round}, ${contender.name}: ${sample.blockingMs.toFixed(0)} ms, light ${sample.lightMs.toFixed(0)} ms`)
        } finally {
          await server.stop()
        }
      }
    }
  }
  return samples
}

/** `workers`: of those that must serve calls before anything is timed. */
async function measureTurns(
  kind: CallKind,
  { port }: RunningServer,
  workers: number,
): Promise<Omit<CallSample, 'kind' | 'contender' | 'round'>> {
  const caller = kind === 'grpc' ? grpcCaller(port) : http2Caller(port)
  try {
    const deadline = performance.now() + START_MS
    while (workers > 1 && (await turn(caller.call, BLOCK.calls, BLOCK.ms)).pids.size < workers && performance.now() < deadline);
    const blocking = await turns(caller.call, BLOCK.calls, BLOCK.ms)
    const light = await turns(caller.call, LIGHT_CALLS, undefined)
    return { blockingMs: blocking.ms, lightMs: light.ms, workers: blocking.workers }
  } finally {
    caller.close()
  }
}

async function turns(call: Call, calls: number, blockMs: number | undefined): Promise<{ ms: number; workers: number }> {
  for (let index = 0; index < WARM_UP_TURNS; index++) await turn(call, calls, blockMs)
  const all: number[] = []
  let workers = 0
  for (let index = 0; index < TURNS; index++) {
    const { ms, pids } = await turn(call, calls, blockMs)
    all.push(ms)
    workers = pids.size
  }
  return { ms: all.sort((a, b) => a - b)[Math.floor(TURNS / 2)] as number, workers }
}

/** All calls at the same time. */
async function turn(call: Call, calls: number, blockMs: number | undefined): Promise<{ ms: number; pids: Set<number> }> {
  const began = performance.now()
  const pids = await Promise.all(Array.from({ length: calls }, () => call(blockMs)))
  return { ms: performance.now() - began, pids: new Set(pids) }
}

function grpcCaller(port: number): Caller {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  const toBytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
  const fromBytes = (bytes: Buffer): { pid: number } => JSON.parse(bytes.toString()) as { pid: number }
  return {
    call: (ms) =>
      new Promise((resolve, reject) => {
        const path = ms === undefined ? '/bench.Calls/light' : '/bench.Calls/block'
        client.makeUnaryRequest(path, toBytes, fromBytes, { ms }, (error, answer) => {
          if (error) reject(error)
          else resolve((answer as { pid: number }).pid)
        })
      }),
    close: () => client.close(),
  }
}

function http2Caller(port: number): Caller {
  const session = connect(`http://127.0.0.1:${port}`)
  return {
    call: (ms) =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':path': ms === undefined ? '/light' : `/block?ms=${ms}` })
        let text = ''
        stream.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        stream.once('error', reject).once('end', () => {
          if (text === '') reject(new Error('a stream was broken off'))
          else resolve((JSON.parse(text) as { pid: number }).pid)
        })
      }),
    close: () => session.destroy(),
  }
}

/** The load in words. */
export const callLoad = `${BLOCK.calls} calls at the same time over one connection, each of which blocks its worker for ${BLOCK.ms} ms; ${LIGHT_CALLS} light ones`
