// `balancer advise`: on the example heavy-reports without its pool it names the reports, and the config that it prints makes light requests fast. What
// workers see of keys, proxies and sessions reaches it too.

import { Agent, request } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { inOneAttempt } from '../../../../test/support/attempts.ts'
import { until } from '../../../../test/support/until.ts'
import type { AdviceReport } from '../../src/advice.ts'
import { AdviceRun, lightP99 } from './support/advice-run.ts'
import { runCommand } from './support/commands.ts'
import { startBalancer } from './support/running-balancer.ts'

const test = suite('advice', { timeoutMs: 90_000 })
const REPORT_MS = 600
const MEASURE_MS = 2_500

test('reports that block light requests: the advice names them, and its config brings the 99th percentile down to a tenth', async () => {
  const run = await AdviceRun.start(REPORT_MS)
  assert.equal((await run.advise()).advice, [], 'nothing without evidence')

  const { advice, answers } = await run.untilAdvised()
  assert.equal(
    advice.map(({ kind, subject }) => [kind, subject]),
    [['blocking-requests', 'GET /reports/:id']],
  )
  assert.match(advice[0]?.seen ?? '', /blocks the event loop for \d{3,4} ms a request.* \d+ other requests/)
  assert.equal([...answers.reportPools], ['web'])
  const text = await run.adviseText()
  assert.match(text, /^1\. GET \/reports\/:id \(blocking-requests\)\n {3}Seen: /)
  assert.match(text, "       { path: '/reports/:id', pool: 'heavy' },\n")

  await run.paste(advice[0]?.config ?? '')
  await inOneAttempt('a tenth', async () => {
    const after = await run.measure(MEASURE_MS)
    assert.equal([[...after.lightPools], [...after.reportPools]], [['web'], ['heavy']])
    const [before, now] = [lightP99(answers), lightP99(after)]
    return now <= before / 10 ? 'a tenth' : `${now} ms, and ${before} ms before`
  })
  assert.equal((await run.advise()).advice, [], 'the advice was followed')
  assert.is(await run.balancer.stop(), 0)
})

/** So many requests over one connection, one after the other. */
async function ask(port: number, count: number, path: string, fields: (index: number) => Readonly<Record<string, string>>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let index = 0; index < count; index++)
    await new Promise<void>((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path, agent, headers: fields(index) }, (response) => {
        response.resume().once('error', reject).once('end', resolve)
      })
      asked.once('error', reject).end()
    })
  agent.destroy()
}

test('keys that change, a proxy that is not trusted, and lost sessions of socket.io', async () => {
  const balancer = await startBalancer({
    config: {
      app: 'metrics-app.mjs',
      // On a busy machine connections rest after each response, and workers have no later request to look at.
      pools: { web: { workers: 2, rest: 'never' } },
      routes: [{ path: '/cart/*', policy: { sticky: { by: { header: 'x-key' } } } }],
    },
  })
  await balancer.untilAllReady()
  const { port } = balancer
  // A sticky route with one key is sound.
  await ask(port, 200, '/cart/1', () => ({ 'x-key': 'a' }))
  assert.match((await runCommand(balancer, ['advise'])).out, /^Nothing to advise, from what was seen in /)
  await ask(port, 400, '/cart/1', (index) => ({ 'x-key': `key ${index}` }))
  await ask(port, 400, '/', (index) => ({ 'x-forwarded-for': `203.0.113.${index % 50}` }))
  await ask(port, 30, '/status/400?EIO=4&transport=polling&sid=x', () => ({}))
  const found = await until(
    async () => {
      const { advice } = JSON.parse((await runCommand(balancer, ['advise', '--json'])).out) as AdviceReport
      return advice.length === 3 ? advice : undefined
    },
    15_000,
    'three pieces of advice',
  )
  assert.equal(
    found.map(({ kind, subject }) => `${kind} ${subject}`),
    ['lost-sessions /status/400/*', 'changing-key /cart/*', 'untrusted-proxy 127.0.0.1'],
  )
  assert.is(await balancer.stop(), 0)
})

test('switched off, the balancer says so', async () => {
  const balancer = await startBalancer({ config: { app: 'counting-app.mjs', pools: { web: { workers: 1 } }, advice: false } })
  assert.match((await runCommand(balancer, ['advise'])).out, 'switched off')
  assert.equal(JSON.parse((await runCommand(balancer, ['advise', '--json'])).out), { isOn: false, watchedMs: 0, advice: [] })
  assert.is(await balancer.stop(), 0)
})

test.run()
