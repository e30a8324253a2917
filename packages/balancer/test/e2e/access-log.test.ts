// The access log of running workers: a line for each request, with where it was served and how it came there.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { movesConnections, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('access log', { timeoutMs: 60_000 })
const KEEP = { Connection: 'keep-alive' }

interface Line {
  readonly url: string
  readonly status: number
  readonly [field: string]: unknown
}

const config: BalancerConfig = {
  app: 'echo-app.mjs',
  pools: { web: { workers: 1 }, heavy: { workers: 1 } },
  routes: [
    { name: 'files', path: '/heavy/*', pool: 'heavy' },
    { name: 'all', path: '/*' },
  ],
  accessLog: { format: 'json' },
}

function linesOf({ temporary }: RunningBalancer, name = 'access.log'): string[] {
  const path = join(temporary, 'logs', name)
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []
}

async function untilLines(balancer: RunningBalancer, count: number): Promise<Line[]> {
  await until(() => linesOf(balancer).length >= count, 10_000, `${count} lines`)
  return linesOf(balancer).map((line) => JSON.parse(line))
}

test('each request has a line with its route, worker, times and bytes', async () => {
  const balancer = await startBalancer({ config })
  const begun = Date.now()
  const client = new RawClient(balancer.port)
  const answer = await client.write(get('/slow?ms=40', { ...KEEP, 'User-Agent': 'test/1', Referer: 'http://r/' })).answer()
  // The next request belongs to the other pool.
  await client.write(get('/heavy/1', KEEP)).answer()
  await client.write(get('/x')).answer()
  const lines = await untilLines(balancer, 3)
  // Each worker sends its lines at times of its own.
  const [first, second, third] = ['/slow?ms=40', '/heavy/1', '/x'].map((url) => lines.find((line) => line.url === url)) as [
    Line,
    Line,
    Line,
  ]
  const { time, serviceMs, waitMs, ...rest } = first
  assert.equal(rest, {
    ...{ address: '127.0.0.1', method: 'GET', host: 'test', url: '/slow?ms=40', protocol: 'HTTP/1.1', status: 200 },
    ...{ bytes: Buffer.byteLength(answer.body), referer: 'http://r/', agent: 'test/1', pool: 'web', slot: 0, route: 'all' },
  })
  assert.ok((time as number) >= begun && (time as number) <= Date.now())
  assert.ok((serviceMs as number) >= 39, `${serviceMs} ms`)
  assert.ok((waitMs as number) >= 0, `${waitMs} ms`)
  const how = movesConnections ? 'moved' : 'forwarded'
  assert.equal([second.url, second.pool, second.route, second.placement], ['/heavy/1', 'heavy', 'files', how])
  assert.equal([third.url, third.pool], ['/x', 'web'])
  assert.equal((await balancer.status()).accessLog, { written: 3, dropped: 0, failure: null })
  assert.match(await balancer.metrics(), /^switchyard_access_log_lines_total 3$/m)
  assert.is(await balancer.stop(), 0)
})

test('requests of several clients over one connection between workers, and pipelined ones', async () => {
  const balancer = await startBalancer({ config })
  const clients = ['127.0.0.1', '127.0.0.2', '127.0.0.1']
  for (const [number, localAddress] of clients.entries()) {
    const client = new RawClient({ port: balancer.port, host: '127.0.0.1', localAddress })
    // An answer is owed on the connection, so the second request can't take it along.
    client.write(get(`/slow?ms=30&n=${number}`, KEEP) + get(`/heavy/${number}`, KEEP) + get(`/x/${number}`))
    for (let answer = 0; answer < 3; answer++) assert.is((await client.answer()).status, 200)
    client.destroy()
  }
  const lines = await untilLines(balancer, 3 * clients.length)
  for (const [number, address] of clients.entries()) {
    const [slow, heavy, last] = [`/slow?ms=30&n=${number}`, `/heavy/${number}`, `/x/${number}`].map((url) =>
      lines.find((line) => line.url === url),
    )
    assert.equal([slow?.address, heavy?.address, last?.address], [address, address, address])
    assert.equal([heavy?.pool, heavy?.placement, last?.pool, last?.placement], ['heavy', 'forwarded', 'web', undefined])
    assert.ok((slow?.serviceMs as number) >= 29, `${slow?.serviceMs} ms`)
  }
  assert.is(lines.length, 3 * clients.length)
  assert.is(await balancer.stop(), 0)
})

test('the wait in the queue, a client that hangs up, and the last lines of a worker that exits', async () => {
  const balancer = await startBalancer({ config })
  const gate = join(balancer.temporary, 'gate')
  writeFileSync(gate, '')
  const impatient = new RawClient(balancer.port)
  impatient.write(get(`/wait?while=${gate}`))
  await balancer.untilLine(({ msg }) => msg === 'wait begun', 'the request')
  impatient.destroy()
  const [aborted] = (await untilLines(balancer, 1)) as [Line]
  assert.equal([aborted.status, aborted.bytes, aborted.aborted], [499, 0, true])

  const blocked = exchange(balancer.port, get('/block?ms=300'))
  await balancer.untilLine(({ msg }) => msg.startsWith('block '), 'the request')
  await Promise.all(Array.from({ length: 8 }, () => exchange(balancer.port, get('/after'))))
  await blocked
  const waits = (await untilLines(balancer, 10)).filter(({ url }) => url === '/after').map(({ waitMs }) => waitMs as number)
  assert.is(waits.length, 8)
  assert.ok(Math.max(...waits) >= 50, waits.join(' '))

  await exchange(balancer.port, get('/last'))
  await exchange(balancer.port, get('/exit')).catch(() => {})
  await until(() => linesOf(balancer).some((line) => line.includes('"/last"')), 10_000, 'the last line')
  assert.is(await balancer.stop(), 0)
})

test('a worker that is killed leaves its lines', async () => {
  const balancer = await startBalancer({ config })
  const client = new RawClient(balancer.port)
  const urls = Array.from({ length: 100 }, (_, number) => `/k/${number}`)
  for (const url of urls) await client.write(get(url, KEEP)).answer()
  const { pools } = await balancer.status()
  const [{ pid } = { pid: 0 }] = pools.flatMap(({ name, workers }) => (name === 'web' ? workers : []))
  assert.ok(pid > 1)
  process.kill(pid, 'SIGKILL')
  await balancer.untilLine(({ msg }) => msg.includes('SIGKILL'), 'the end of the worker')
  // The next worker writes to the same file.
  const answers = async () => (await exchange(balancer.port, get('/next')).catch(() => undefined))?.status === 200
  await until(answers, 10_000, 'the next worker')
  assert.is(await balancer.stop(), 0)
  const lines = linesOf(balancer).map((line) => (JSON.parse(line) as Line).url)
  const killed = lines.filter((url) => url.startsWith('/k/'))
  assert.equal(killed, urls.slice(0, killed.length))
  // The last response may not have ended. The portable channel loses the lines that were not sent yet.
  if (movesConnections) assert.ok(killed.length >= urls.length - 1, `${killed.length} lines`)
  assert.ok(lines.includes('/next'))
})

test('a reload changes the format and the sample; every request is written or counted through it', async () => {
  const folder = temporaryFolder()
  const balancer = await startBalancer({ config: { ...config, accessLog: { format: '{status} {path}' }, logs: { folder } } })
  let requests = 0
  const traffic = { isOver: false }
  const clients = Array.from({ length: 4 }, async () => {
    while (!traffic.isOver) {
      const { status } = await exchange(balancer.port, get('/r'))
      assert.is(status, 200)
      requests++
    }
  })
  await until(() => requests > 20)
  const file = join(balancer.temporary, 'balancer.config.json')
  const changed = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...changed, accessLog: { format: 'json' } }))
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 0, err)
  traffic.isOver = true
  await Promise.all(clients)
  const path = join(folder, 'access.log')
  const written = () => readFileSync(path, 'utf8').split('\n').slice(0, -1)
  await until(() => written().length >= requests, 10_000, 'every line')
  assert.is(written().length, requests)
  const [plain, json] = [written().filter((line) => line === '200 /r'), written().filter((line) => line.startsWith('{'))]
  assert.ok(plain.length > 0 && json.length > 0, `${plain.length} and ${json.length}`)
  assert.is(plain.length + json.length, requests)
  assert.is(await balancer.stop(), 0)
})

test('a sample of combined lines', async () => {
  const balancer = await startBalancer({ config: { ...config, accessLog: { sample: 0.3, file: '{pool}-{slot}-access.log' } } })
  const client = new RawClient(balancer.port)
  for (let request = 0; request < 300; request++) await client.write(get('/s', KEEP)).answer()
  client.destroy()
  assert.is(await balancer.stop(), 0)
  const lines = linesOf(balancer, 'web-0-access.log')
  // The chance of a result outside of these bounds is below 1e-9.
  assert.ok(lines.length > 40 && lines.length < 150, String(lines.length))
  assert.match(lines[0] as string, /^127\.0\.0\.1 - - \[.*\] "GET \/s HTTP\/1\.1" 200 \d+ "-" "-"$/)
})

test.run()
