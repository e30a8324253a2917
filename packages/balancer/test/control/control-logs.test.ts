// The log over the control socket: filters, followers and slow readers.

import { request } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import type { ControlClient } from '../../src/control/control-client.ts'
import type { LogLine } from '../../src/control/control-protocol.ts'
import { linesOf, opened, rejects } from './opened-control.ts'

const test = suite('control logs')

test('followers of the log leave connections for other commands', async () => {
  const { path, client } = await opened()
  const followers = Array.from({ length: 16 }, () => request({ socketPath: path, path: '/logs?follow=true', agent: false }).end())
  for (const follower of followers) {
    follower.on('error', () => {})
    await untilEvent(follower, 'response')
  }
  await rejects(
    () => linesOf(client.logs({ lines: 1, follow: true, pool: undefined })),
    /16 clients follow the log or the decisions already/,
  )
  assert.is((await client.status()).name, 'shop')
  for (const follower of followers) follower.destroy()
})

test('logs returns the newest lines, of a pool or a worker', async () => {
  const { client, logs } = await opened()
  logs.push({ time: 1, level: 30, msg: 'ready' })
  logs.push({ time: 2, level: 30, msg: 'hello', pool: 'web', slot: 0, stream: 'stdout' })
  logs.push({ time: 3, level: 30, msg: 'oh', pool: 'web', slot: 1, stream: 'stderr' })
  logs.push({ time: 4, level: 30, msg: 'heavy', pool: 'heavy', slot: 0, stream: 'stdout' })
  const texts = async (query: Parameters<ControlClient['logs']>[0]) =>
    (await linesOf(client.logs(query))).map((line) => ('line' in line ? line.line.msg : line))
  assert.equal(await texts({ lines: 50 }), ['ready', 'hello', 'oh', 'heavy'])
  assert.equal(await texts({ lines: 1 }), ['heavy'])
  assert.equal(await texts({ lines: 0 }), [])
  assert.equal(await texts({ lines: 50, pool: 'web' }), ['hello', 'oh'])
  assert.equal(await texts({ lines: 50, pool: 'web', slot: 1 }), ['oh'])
})

test('all kept lines arrive, however long they are, and then a mark if it was asked for', async () => {
  const { client, logs } = await opened()
  for (let time = 1; time <= 1_000; time++) logs.push({ time, level: 30, msg: 'x'.repeat(8_000) })
  const lines = await linesOf(client.logs({ lines: 1_000, mark: true }))
  assert.is(lines.length, 1_001)
  assert.ok(lines.slice(0, -1).every((line) => 'line' in line))
  assert.equal(lines.at(-1), { kept: 1_000 })
})

test('a follower gets new lines until the balancer exits', async () => {
  const { client, logs, server } = await opened()
  logs.push({ time: 1, level: 30, msg: 'before' })
  const received: LogLine[] = []
  const over = (async () => {
    for await (const line of client.logs({ lines: 1, follow: true, pool: undefined })) received.push(line)
  })()
  await until(() => received.length === 1)
  logs.push({ time: 2, level: 30, msg: 'after' })
  await until(() => received.length === 2)
  await server.close()
  await over
  assert.equal(
    received.map((line) => 'line' in line && line.line.msg),
    ['before', 'after'],
  )
})

test('a slow reader loses lines and gets their number; the balancer buffers a bounded amount', async () => {
  const { path, logs } = await opened()
  const sent = request({ socketPath: path, path: '/logs?follow=true', agent: false })
  sent.end()
  const [answer] = (await untilEvent(sent, 'response')) as [import('node:http').IncomingMessage]
  answer.pause()
  const msg = 'x'.repeat(8_000)
  const count = 2_000
  const before = process.memoryUsage().rss
  for (let i = 0; i < count; i++) {
    logs.push({ time: i, level: 30, msg })
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024)
  let text = ''
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  answer.resume()
  const lines = (): LogLine[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  const lost = await until(() => lines().find((line): line is { lost: number } => 'lost' in line))
  const read = lines().filter((line) => 'line' in line).length
  assert.is(read + lost.lost, count)
  assert.ok(read < 1_000, `${read} were kept`)
  logs.push({ time: 0, level: 30, msg: 'again' })
  await until(() => text.includes('"again"'))
  sent.destroy()
})

test.run()
