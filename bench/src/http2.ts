// The mode `http2`: what a request costs over one connection of HTTP/2, and over many.

import { connect } from 'node:http2'
import { isInstalled } from '../../scripts/system.mjs'
import { ALL_WORKERS_MS, type CheckedAnswer, startChecked } from './checked-server.ts'
import { startChild } from './children.ts'
import type { Contender } from './contenders.ts'
import { cpuTimes, untilIdle } from './cpu.ts'
import { ableOf } from './installed.ts'
import { measureRounds } from './measured-rounds.ts'
import type { RunningServer } from './server.ts'

export const http2Scenarios = [
  { name: 'one connection', connections: 1, streams: 100, count: 40_000 },
  { name: '64 connections', connections: 64, streams: 1, count: 40_000 },
] as const

export type Http2Scenario = (typeof http2Scenarios)[number]['name']

interface Load {
  readonly connections: number
  /** Open at the same time on each connection. */
  readonly streams: number
  readonly count: number
}

export interface Http2Sample {
  readonly scenario: Http2Scenario
  readonly contender: string
  /** Counted from 1. */
  readonly round: number
  readonly units: number
  readonly cpuMs: number
}

const GENERATOR = 'h2load'
/** Over so many connections that every worker of each contender gets some. With one, the worker that is measured later may be a cold one. */
const WARM_UP = { connections: 16, streams: 10, count: 40_000 }
const BODY = 'Hello world\n'
const TURN_MS = 120_000

/** Each scenario in each round: the contenders run together and are measured in turn. Rejects at a wrong answer, and when h2load is missing. */
export async function measureHttp2(
  { contenders, rounds }: { readonly contenders: readonly Contender[]; readonly rounds: number },
  progress: (line: string) => void,
): Promise<Http2Sample[]> {
  if (!isInstalled(GENERATOR)) throw new Error(`${GENERATOR} is not installed: on Debian it is in the package nghttp2-client`)
  const start = (contender: Contender): Promise<RunningServer> => startChecked(contender, BODY, ask)
  const able = ableOf(contenders, progress)
  return measureRounds({ contenders: able, rounds, scenarios: http2Scenarios, start, measure: measureTurn }, progress)
}

/** Over a connection of its own. */
function ask(port: number): Promise<CheckedAnswer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    session.setTimeout(ALL_WORKERS_MS, () => session.destroy(new Error('no answer')))
    const stream = session.request({ ':path': '/' })
    let [status, worker, body] = [0, '', '']
    stream.on('error', reject)
    stream.on('response', (fields) => {
      status = Number(fields[':status'])
      worker = String(fields.worker)
    })
    stream.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    stream.on('end', () => {
      session.close()
      resolve({ status, body, worker })
    })
  })
}

async function measureTurn(
  { name }: Contender,
  server: RunningServer,
  scenario: (typeof http2Scenarios)[number],
  round: number,
): Promise<Http2Sample> {
  await load(name, server.port, WARM_UP)
  await untilIdle(server.pid)
  const before = sumOf(server.pid)
  await load(name, server.port, scenario)
  await untilIdle(server.pid)
  return { scenario: scenario.name, contender: name, round, units: scenario.count, cpuMs: sumOf(server.pid) - before }
}

/** Rejects when a single request fails. */
async function load(name: string, port: number, { connections, streams, count }: Load): Promise<void> {
  const child = startChild(GENERATOR, ['-n', `${count}`, '-c', `${connections}`, '-m', `${streams}`, `http://127.0.0.1:${port}/`])
  const timer = setTimeout(() => child.process.kill('SIGKILL'), TURN_MS)
  await child.ended
  clearTimeout(timer)
  if (!child.output().includes(`status codes: ${count} 2xx`)) throw new Error(`${name}: ${GENERATOR} says\n${child.output().slice(-1_000)}`)
}

function sumOf(pid: number): number {
  return [...cpuTimes(pid).values()].reduce((sum, cpuMs) => sum + cpuMs, 0)
}
