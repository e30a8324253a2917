// The mode `tls`: what a request on a kept-alive connection costs, a connection with a full handshake, and one that resumes a session.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ALL_WORKERS_MS, type CheckedAnswer, startChecked } from './checked-server.ts'
import { startChild } from './children.ts'
import type { Contender } from './contenders.ts'
import { cpuTimes, untilIdle } from './cpu.ts'
import { ableOf } from './installed.ts'
import { measureRounds } from './measured-rounds.ts'
import type { RunningServer } from './server.ts'

export const tlsScenarios = [
  { name: 'kept-alive request', mode: 'kept', count: 40_000 },
  { name: 'full handshake', mode: 'full', count: 3_000 },
  { name: 'resumed handshake', mode: 'resumed', count: 3_000 },
] as const

export type TlsScenario = (typeof tlsScenarios)[number]['name']

export interface TlsSample {
  readonly scenario: TlsScenario
  readonly contender: string
  /** Counted from 1. */
  readonly round: number
  readonly units: number
  readonly cpuMs: number
  /** Share of the connections that resumed a session. */
  readonly resumedShare: number
}

interface Report {
  readonly answered: number
  readonly connections: number
  readonly resumed: number
  readonly failures: number
}

const CLIENTS = 32
const WARM_UP_SHARE = 0.2
const BODY = 'Hello world\n'
const TURN_MS = 300_000
const clients = fileURLToPath(new URL('../apps/tls-clients.js', import.meta.url))

/** Each scenario in each round: the contenders run together and are measured in turn. Rejects at a wrong answer or a failed connection. */
export async function measureTls(
  { contenders, rounds }: { readonly contenders: readonly Contender[]; readonly rounds: number },
  progress: (line: string) => void,
): Promise<TlsSample[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-tls-'))
  try {
    const env = makeCertificate(folder)
    const start = (contender: Contender): Promise<RunningServer> => startChecked({ ...contender, env }, BODY, ask)
    const able = ableOf(contenders, progress)
    return await measureRounds({ contenders: able, rounds, scenarios: tlsScenarios, start, measure: measureTurn }, progress)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function makeCertificate(folder: string): Record<string, string> {
  const [key, cert, pem] = ['key', 'crt', 'pem'].map((name) => join(folder, `site.${name}`)) as [string, string, string]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  writeFileSync(pem, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'))
  return { TLS_KEY: key, TLS_CERT: cert, TLS_PEM: pem, TLS_TICKETS: randomBytes(48).toString('hex') }
}

function ask(port: number): Promise<CheckedAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, agent: false, rejectUnauthorized: false, timeout: ALL_WORKERS_MS }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, worker: String(response.headers.worker) }))
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.on('error', reject).end()
  })
}

async function measureTurn(
  { name }: Contender,
  server: RunningServer,
  { name: scenario, mode, count }: (typeof tlsScenarios)[number],
  round: number,
): Promise<TlsSample> {
  await load(server.port, mode, Math.ceil(count * WARM_UP_SHARE))
  await untilIdle(server.pid)
  const before = sumOf(server.pid)
  const { answered, connections, resumed, failures } = await load(server.port, mode, count)
  await untilIdle(server.pid)
  const cpuMs = sumOf(server.pid) - before
  if (failures > 0 || answered !== count) throw new Error(`${name}: ${failures} failures, ${answered} of ${count} answered`)
  const units = mode === 'kept' ? answered : connections
  return { scenario, contender: name, round, units, cpuMs, resumedShare: resumed / connections }
}

async function load(port: number, mode: string, count: number): Promise<Report> {
  const child = startChild(process.execPath, [clients, `${port}`, mode, `${count}`, `${CLIENTS}`])
  const timer = setTimeout(() => child.process.kill('SIGKILL'), TURN_MS)
  await child.ended
  clearTimeout(timer)
  const [line] = child.output().trim().split('\n').slice(-1)
  try {
    return JSON.parse(line ?? '') as Report
  } catch {
    throw new Error(`the load gave no report: ${child.output()}`)
  }
}

function sumOf(pid: number): number {
  return [...cpuTimes(pid).values()].reduce((sum, cpuMs) => sum + cpuMs, 0)
}
