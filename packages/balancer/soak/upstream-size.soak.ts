// A gigabyte up and a gigabyte down through an upstream pool, past slow readers: the memory of the proxy worker and of the primary stays flat.

import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { assert, atSuiteEnd, suite } from '../../../test/suite.ts'
import { startBalancer } from '../test/e2e/support/running-balancer.ts'

const BYTES = 2 ** 30
const CHUNK = Buffer.alloc(64 * 1024, 'a')
const MOST_MORE = 64 * 1024 * 1024
/** The reader stops for a moment after each of these. */
const PAUSE_EVERY = 16 * 1024 * 1024
const PAUSE_MS = 20
const test = suite('upstream size', { timeoutMs: 20 * 60_000 })

test('1 GiB up and 1 GiB down: less than 64 MiB more memory in either process', async () => {
  const server = createServer((request, response) => {
    if (request.method === 'GET') return void send(response)
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (pauses(bytes, chunk.length)) rest(request)
    })
    request.on('end', () => response.end(String(bytes)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atSuiteEnd(() => void server.close())
  const upstream = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`]
  const balancer = await startBalancer({ config: { pools: { up: { workers: 1, upstream } } } })
  const { pid: worker = 0 } = (await balancer.untilAllReady()).pools[0]?.workers[0] ?? {}
  const pids = { primary: balancer.pid, proxy: worker }
  const before = { primary: memoryOf(pids.primary), proxy: memoryOf(pids.proxy) }
  const most = { ...before }
  const timer = setInterval(() => {
    for (const name of ['primary', 'proxy'] as const) most[name] = Math.max(most[name], memoryOf(pids[name]))
  }, 100)
  const figures: Record<string, unknown> = {}
  try {
    for (const [way, transfer] of [
      ['down', () => download(balancer.port)],
      ['up', () => upload(balancer.port)],
    ] as const) {
      const began = performance.now()
      assert.is(await transfer(), BYTES, way)
      figures[`${way}Seconds`] = Math.round((performance.now() - began) / 100) / 10
      for (const name of ['primary', 'proxy'] as const)
        figures[`${way} ${name} MiB more`] = Math.round((most[name] - before[name]) / 2 ** 20)
    }
  } finally {
    clearInterval(timer)
  }
  console.log(JSON.stringify(figures))
  for (const name of ['primary', 'proxy'] as const)
    assert.ok(most[name] - before[name] < MOST_MORE, `${name}: ${before[name]} bytes before, at most ${most[name]}`)
  assert.is(await balancer.stop(), 0)
})

test.run()

interface Pausable {
  pause(): unknown
  resume(): unknown
}

function pauses(bytes: number, last: number): boolean {
  return Math.floor(bytes / PAUSE_EVERY) !== Math.floor((bytes - last) / PAUSE_EVERY)
}

function rest(stream: Pausable): void {
  stream.pause()
  setTimeout(() => stream.resume(), PAUSE_MS)
}

/** Writes the bytes as fast as the other side reads. */
function send(to: NodeJS.WritableStream): void {
  let left = BYTES
  const write = (): void => {
    while (left > 0) {
      left -= CHUNK.length
      if (!to.write(CHUNK)) return void to.once('drain', write)
    }
    to.end()
  }
  write()
}

function download(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/down' }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (pauses(bytes, chunk.length)) rest(response)
      })
      response.on('end', () => resolve(bytes))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

function upload(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Length': BYTES }
    const sent = request({ host: '127.0.0.1', port, path: '/up', method: 'POST', headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve(Number(text)))
      response.on('error', reject)
    })
    sent.on('error', reject)
    send(sent)
  })
}

/** Resident, in bytes. */
function memoryOf(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1024
}
