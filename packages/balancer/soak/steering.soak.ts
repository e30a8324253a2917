// One million requests of many clients over kept-alive connections that alternate between pools and sessions, directly and behind nginx and HAProxy.
// The app says 500 to a request that is not its own, so each client's count of statuses tells.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Pool } from 'undici'
import { assert, suite } from '../../../test/suite.ts'
import { openBrowser } from '../../../test/support/browser.ts'
import { type Front, startHaproxy, startNginx } from '../../../test/support/fronts.ts'
import { spawnLogged } from '../../../test/support/spawn.ts'
import { type RunningBalancer, temporaryFolder } from '../test/e2e/support/running-balancer.ts'
import { askInPage, homesOf, sendTraffic, startSteered, sumOf, targets } from '../test/e2e/support/steering-load.ts'

const seed = Number(process.env.SEED ?? 1)
const test = suite(`steering, seed ${seed}`, { timeoutMs: 20 * 60_000 })
const WANTED = 1_000_000

let balancer: RunningBalancer
let fronts: readonly (readonly [name: string, port: number])[]
let nginx: Front
let urls: string[]
let requests = 0
let descriptors = 0

test.before(async () => {
  balancer = await startSteered({ light: 3, heavy: 1, rest: 'auto' })
  nginx = await startNginx(balancer.port)
  const haproxy = await startHaproxy(balancer.port)
  fronts = [
    ['directly', balancer.port],
    ['behind nginx', nginx.port],
    ['behind HAProxy', haproxy.port],
  ]
  urls = targets(await homesOf(balancer.port))
  descriptors = balancer.descriptors
})

const where = ['directly', 'behind nginx', 'behind HAProxy'] as const
const portOf = (place: string): number => fronts.find(([name]) => name === place)?.[1] as number

async function output(command: string, args: readonly string[]): Promise<string> {
  const child = spawnLogged(command, args)
  const { code } = await child.ended
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${child.output()}`)
  return child.output()
}

for (const place of where) {
  test(`wrk ${place}: GET and POST, all targets mixed on 64 connections`, async () => {
    const script = join(temporaryFolder(), 'mixed.lua')
    writeFileSync(
      script,
      `local urls = { ${urls.map((url) => JSON.stringify(url)).join(', ')} }
math.randomseed(${seed})
request = function()
  local url = urls[math.random(#urls)]
  if math.random(4) == 1 then return wrk.format('POST', url, nil, string.rep('x', math.random(2000))) end
  return wrk.format('GET', url)
end
done = function(summary) io.write('errors ', summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout, ' requests ', summary.requests, '\\n') end
`,
    )
    const said = await output('wrk', ['-t2', '-c64', '-d25', '-s', script, `http://127.0.0.1:${portOf(place)}`])
    const [, errors, count] = /errors (\d+) requests (\d+)/.exec(said) ?? []
    assert.is(errors, '0', said)
    requests += Number(count)
  })

  test(`raw connections ${place}: pipelined too`, async () => {
    const totals = await sendTraffic(portOf(place), urls, 60_000, 32, seed)
    assert.equal(totals.faults, [])
    requests += totals.requests
  })

  test(`ab -k ${place}: one process for each target, side by side`, async () => {
    const each = 6_000
    await Promise.all(
      urls.map(async (url) => {
        const said = await output('ab', ['-k', '-q', '-n', `${each}`, '-c', '4', `http://127.0.0.1:${portOf(place)}${url}`])
        assert.match(said, new RegExp(`Complete requests: +${each}\\n`))
        assert.match(said, /Failed requests: +0\n/)
        assert.not.match(said, /Non-2xx/)
        requests += each
      }),
    )
  })
}

test('h2load: HTTP/2 to nginx, HTTP/1 on kept-alive connections from there', async () => {
  const file = join(temporaryFolder(), 'urls')
  writeFileSync(file, urls.map((url) => `http://127.0.0.1:${nginx.http2Port}${url}\n`).join(''))
  const said = await output('h2load', ['-n', '100000', '-c', '8', '-m', '10', '-i', file])
  assert.match(said, /100000 succeeded, 0 failed, 0 errored, 0 timeout/)
  assert.match(said, /status codes: 100000 2xx/)
  requests += 100_000
})

test('undici with ten pipelined requests', async () => {
  const pool = new Pool(`http://127.0.0.1:${balancer.port}`, { connections: 8, pipelining: 10 })
  let at = 0
  const client = async (): Promise<void> => {
    while (at < 60_000) {
      const path = urls[at++ % urls.length] as string
      const { statusCode, body } = await pool.request({ method: 'GET', path })
      const text = await body.text()
      if (statusCode !== 200 || text !== 'ok') throw new Error(`${path}: ${statusCode} ${text}`)
      requests++
    }
  }
  await Promise.all(Array.from({ length: 80 }, client))
  await pool.close()
})

for (const place of where) {
  test(`Chromium ${place}: pages that ask for everything at once`, async () => {
    const browser = await openBrowser()
    try {
      const each = 5_000
      const asked = await Promise.all(Array.from({ length: 4 }, () => askInPage(browser, `http://127.0.0.1:${portOf(place)}`, urls, each)))
      assert.equal(asked.flatMap(({ faults }) => faults).slice(0, 5), [])
      requests += 4 * each
    } finally {
      await browser.close()
    }
  })
}

test('a million in all, and nothing left behind', async () => {
  for (let round = 0; requests < WANTED; round++) {
    const totals = await sendTraffic(balancer.port, urls, Math.min(100_000, WANTED - requests), 32, seed + round)
    assert.equal(totals.faults, [])
    requests += totals.requests
  }
  const { moves } = await balancer.status()
  console.log(`${requests} requests, ${sumOf(moves.givenBack)} connections given back, ${sumOf(moves.forwarded)} requests forwarded`)
  for (const { route, reason, count } of [...moves.givenBack, ...moves.forwarded]) console.log(`  ${route} ${reason} ${count}`)
  await balancer.untilDescriptors(descriptors + 64)
  assert.is(await balancer.stop(), 0)
})

test.run()
