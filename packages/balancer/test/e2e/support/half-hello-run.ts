// Clients that send a part of a ClientHello and then nothing, beside a client that makes a whole handshake for each request.

import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { hello } from '../../../../routing/test/head/hello-bytes.ts'
import { get, RawClient } from './raw-client.ts'
import type { RunningBalancer } from './running-balancer.ts'

const CONNECTING_AT_ONCE = 100

export interface HalfHelloTotals {
  /** Connections with an incomplete head at the same time. */
  readonly held: number
  /** The 99th percentile of handshake and answer of the other client, without and with the half-sent hellos. */
  readonly aloneP99Ms: number
  readonly besideP99Ms: number
  /** Resident memory of the primary before, with, and after the half-sent hellos. */
  readonly memoryMiB: readonly [before: number, beside: number, after: number]
  readonly faults: readonly string[]
}

/** `requests`: of the other client, for each percentile. */
export async function holdHalfHellos(balancer: RunningBalancer, count: number, requests: number): Promise<HalfHelloTotals> {
  const faults: string[] = []
  const held: RawClient[] = []
  // As long as a hello with post-quantum keys and a ticket, in records that no real client would use.
  const whole = hello({ serverName: 'one.example', identities: [Buffer.alloc(1_200, 7)] }, 700)

  async function hold(number: number): Promise<void> {
    const client = await new RawClient(balancer.port).connected()
    held.push(client.write(whole.subarray(0, 1 + ((number * 7919) % (whole.length - 1)))))
  }

  const before = (await balancer.status()).connections
  const memoryBefore = residentMiB(balancer.pid)
  const aloneP99Ms = await p99Of(balancer.port, requests, faults)
  for (let from = 0; from < count; from += CONNECTING_AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(CONNECTING_AT_ONCE, count - from) }, (_, index) => hold(from + index)))
  }
  const waits = ({ waiting }: typeof before): number => waiting.head - before.waiting.head
  const { connections } = await balancer.untilStatus((status) => waits(status.connections) >= count, 'all hellos are waited for')
  const besideP99Ms = await p99Of(balancer.port, requests, faults)
  const memoryBeside = residentMiB(balancer.pid)
  for (const client of held) client.destroy()
  await balancer.untilStatus((status) => waits(status.connections) <= 0, 'the end of all waits')
  return {
    held: waits(connections),
    aloneP99Ms,
    besideP99Ms,
    memoryMiB: [memoryBefore, memoryBeside, residentMiB(balancer.pid)],
    faults,
  }
}

async function p99Of(port: number, requests: number, faults: string[]): Promise<number> {
  const times: number[] = []
  for (let index = 0; index < requests; index++) {
    const startedAt = performance.now()
    const said = await answerOver(port).catch((error: Error) => error.message)
    if (!said.startsWith('HTTP/1.1 200')) faults.push(`request ${index}: ${said}`)
    times.push(performance.now() - startedAt)
  }
  times.sort((one, other) => one - other)
  return Math.round((times[Math.ceil(times.length * 0.99) - 1] as number) * 10) / 10
}

function answerOver(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'one.example', rejectUnauthorized: false })
    let text = ''
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more
    })
    socket.on('error', reject).on('close', () => resolve(text))
    socket.write(get('/', { Connection: 'close' }))
  })
}

function residentMiB(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)
}
