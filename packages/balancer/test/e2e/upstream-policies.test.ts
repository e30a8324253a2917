// The policies of a route choose upstream servers: by a cookie that a server has set, and by code of the user's own. What answers say of their server fits the client.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { assert, suite } from '../../../../test/suite.ts'
import { type Answering, RecordingServer } from '../../../../test/support/recording-server.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { urlOf } from './support/upstream-pools.ts'

const test = suite('upstream policies', { timeoutMs: 60_000 })

const LIBRARY = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href
let one: RecordingServer
let two: RecordingServer
let balancer: RunningBalancer

/** Each server says which one it is, and gives a session to clients that have none. */
const answering =
  (name: string): Answering =>
  ({ target, fields }, socket) => {
    const hasSession = fields.some(([field]) => field.toLowerCase() === 'cookie')
    const session = target.includes('login') && !hasSession ? `Set-Cookie: session=${name}-${Math.random()}\r\n` : ''
    socket.write(`HTTP/1.1 200 OK\r\n${session}Content-Length: ${name.length}\r\n\r\n${name}`)
  }

test.before(async () => {
  one = await RecordingServer.start()
  two = await RecordingServer.start()
  const servers = JSON.stringify([urlOf(one.port), urlOf(two.port)])
  const folder = temporaryFolder()
  const configFile = join(folder, 'balancer.config.mjs')
  writeFileSync(
    configFile,
    `import { learn, roundRobin, sticky } from '${LIBRARY}'
export default {
  listen: '127.0.0.1:0',
  pools: {
    learned: { workers: 2, upstream: ${servers} },
    own: { workers: 2, upstream: ${servers} },
    shown: { workers: 1, upstream: { servers: [${JSON.stringify(urlOf(one.port))}], stripPrefix: '/shown', host: 'upstream' } },
  },
  routes: [
    { path: '/learned/*', pool: 'learned', policy: sticky({ by: learn('session'), otherwise: roundRobin() }) },
    { path: '/own/*', pool: 'own', policy: (servers, head) => (head.path.endsWith('bad') ? head.nothing.here : servers.find(({ slot }) => slot === (head.path.endsWith('second') ? 1 : 0))) },
    { path: '/shown/*', pool: 'shown' },
  ],
}
`,
  )
  balancer = await startBalancer({ configFile })
  await balancer.untilAllReady()
})

test.before.each(() => {
  one.clear()
  two.clear()
  one.answer = answering('one')
  two.answer = answering('two')
})

test.after(async () => assert.is(await balancer.stop(), 0))

const bodyOf = async (path: string, headers: Record<string, string> = {}): Promise<string> =>
  (await exchange(balancer.port, get(path, headers))).body.toString()

test('a visitor stays with the server that gave the session, whichever proxy worker has the connection, and after a reload', async () => {
  const visitors = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const answer = await exchange(balancer.port, get('/learned/login'))
      return { server: answer.body.toString(), Cookie: answer.headers.get('set-cookie')?.[0]?.split(';', 1)[0] ?? '' }
    }),
  )
  assert.equal([...new Set(visitors.map(({ server }) => server))].sort(), ['one', 'two'])
  const stay = async (): Promise<void> => {
    for (let round = 0; round < 3; round++)
      for (const { server, Cookie } of visitors) assert.is(await bodyOf('/learned/page', { Cookie }), server)
  }
  await balancer.untilStatus(({ visitors: { kept } }) => kept === 8, 'eight learned visitors')
  await stay()
  assert.is((await runCommand(balancer, ['reload', 'learned', '--config', configOf(balancer)])).code, 0)
  await stay()
})

test('a policy of the user chooses servers', async () => {
  for (let count = 0; count < 3; count++) assert.equal([await bodyOf('/own/first'), await bodyOf('/own/second')], ['one', 'two'])
})

test('an answer names the server as its client sees it', async () => {
  one.answer = (request, socket) => {
    const url = `${urlOf(one.port)}/deep?x=1`
    const fields = [`Location: ${request.target === '/relative' ? '/next' : url}`, `Content-Location: ${url}`]
    const cookies = [
      'Set-Cookie: a=1; Path=/; HttpOnly',
      'Set-Cookie: b=2; path=/in; Domain=127.0.0.1',
      'Set-Cookie: __Host-c=3; Path=/; Secure',
    ]
    socket.write(`HTTP/1.1 302 Found\r\n${[...fields, ...cookies].join('\r\n')}\r\nContent-Length: 0\r\n\r\n`)
  }
  const { headers } = await exchange(balancer.port, get('/shown/absolute', { Host: 'shop.example' }))
  assert.equal(headers.get('location'), ['http://shop.example/shown/deep?x=1'])
  assert.equal(headers.get('content-location'), ['http://shop.example/shown/deep?x=1'])
  assert.equal(headers.get('set-cookie'), ['a=1; Path=/shown; HttpOnly', 'b=2; Path=/shown/in', '__Host-c=3; Path=/; Secure'])
  const relative = await exchange(balancer.port, get('/shown/relative'))
  assert.equal(relative.headers.get('location'), ['/shown/next'])
})

test.run()

function configOf({ child }: RunningBalancer): string {
  const args = child.process.spawnargs
  return args[args.indexOf('--config') + 1] ?? ''
}
