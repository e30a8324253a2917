// The admin page over a real socket, around a fixed status.

import { connect, createServer, type Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../../test/suite.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { startAdmin, unreadyReasons } from '../../src/admin/admin-server.ts'
import { BalancerError } from '../../src/errors.ts'
import { calmPool, statusOf, workerOf } from '../support/fake-balancer.ts'
import { adminOf, get } from './opened-admin.ts'

const test = suite('admin')

/** Requests a page with these Host headers. */
async function statusUnder(url: string, path: string, ...hosts: string[]): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const protocol = hosts.length === 0 ? '1.0' : '1.1'
  socket.write(`GET ${path} HTTP/${protocol}\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}Connection: close\r\n\r\n`)
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  await untilEvent(socket, 'close', 5_000)
  return text
}

test('every page answers for addresses, localhost and configured names only, and says once what to configure', async () => {
  const warnings: string[] = []
  const address = { host: '127.0.0.1', port: 0, explicit: true, names: ['shop.internal'] }
  const source = { status: () => statusOf() }
  const admin = await startAdmin(address, source, undefined, undefined, undefined, (message) => warnings.push(message))
  atSuiteEnd(() => admin.close())
  const url = admin.url as string
  for (const path of ['/status', '/metrics', '/livez', '/readyz', '/nowhere']) {
    const expected = path === '/nowhere' ? /^HTTP\/1.1 404/ : /^HTTP\/1.1 200/
    for (const hosts of [[], ['127.0.0.1:9400'], ['[::1]:9400'], ['10.1.2.3'], ['LOCALHOST:1'], ['Shop.internal:9400']])
      assert.match(await statusUnder(url, path, ...hosts), expected, `${path} ${hosts}`)
    for (const host of ['attacker.example:9400', 'shop', 'localhost.attacker.example', '127.0.0.1.attacker.example'])
      assert.match(await statusUnder(url, path, host), /^HTTP\/1.1 421[\s\S]*add the name to the option adminHosts\n$/, `${path} ${host}`)
  }
  assert.is(warnings.length, 4)
  for (let number = 0; number < 20; number++) await statusUnder(url, '/status', `${number}.example`)
  assert.is(warnings.length, 10)
})

test('livez and readyz answer ok', async () => {
  const { url } = await adminOf()
  assert.equal([(await get(`${url}/livez`)).status, (await get(`${url}/livez`)).text], [200, 'ok\n'])
  assert.equal([(await get(`${url}/readyz`)).status, (await get(`${url}/readyz?verbose`)).text], [200, 'ok\n'])
})

test('readyz lists why the balancer is not ready', async () => {
  const { url } = await adminOf({
    accepting: false,
    pools: [
      {
        ...calmPool,
        name: 'heavy',
        ready: 0,
        desired: 2,
        boardFaults: 0,
        workers: [workerOf(0, { state: 'starting' }), workerOf(1, { state: 'gone' })],
      },
    ],
  })
  const { status, text } = await get(`${url}/readyz`)
  assert.is(status, 503)
  assert.is(text, 'no connections are accepted\npool heavy: none of 2 workers is ready (1 starting)\n')
})

test('a pool with one ready worker of many is ready', () => {
  assert.equal(
    unreadyReasons(statusOf({ pools: [{ ...calmPool, name: 'web', ready: 1, desired: 8, boardFaults: 0, workers: [workerOf(0)] }] })),
    [],
  )
})

test('status is the status of the balancer as JSON', async () => {
  const { url } = await adminOf()
  const { text, headers } = await get(`${url}/status`)
  assert.is(headers.get('content-type'), 'application/json')
  assert.equal(JSON.parse(text), statusOf())
})

test('an unknown page is 404, another method is 405, HEAD has no body', async () => {
  const { url } = await adminOf()
  assert.is((await get(`${url}/`)).status, 404)
  assert.is((await get(`${url}/metricsx`)).status, 404)
  const posted = await get(`${url}/metrics`, 'POST')
  assert.equal([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD'])
  const head = await get(`${url}/status`, 'HEAD')
  assert.equal([head.status, head.text], [200, ''])
  assert.ok(Number(head.headers.get('content-length')) > 0)
})

test('a status that throws is answered with 500, and livez with 200', async () => {
  const admin = await startAdmin(
    { host: '127.0.0.1', port: 0, explicit: true, names: [] },
    {
      status: () => {
        throw new Error('not now')
      },
    },
  )
  atSuiteEnd(() => admin.close())
  for (const page of ['/status', '/metrics', '/readyz']) assert.equal((await get(`${admin.url}${page}`)).status, 500)
  assert.is((await get(`${admin.url}/livez`)).status, 200)
})

for (const [what, request] of [
  ['send nothing', ''],
  ['send half a head', 'GET /livez HTTP/1.1\r\nX'],
  ['stay open after an answer', 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'],
] as const) {
  test(`connections that ${what} do not lock out other clients`, async () => {
    const { url } = await adminOf()
    const held: Socket[] = []
    for (let more = 0; more < 100; more++) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.on('error', () => {})
      await untilEvent(socket, 'connect')
      socket.write(request)
      if (request.endsWith('\r\n\r\n')) await untilEvent(socket, 'data')
      held.push(socket)
    }
    assert.is((await get(`${url}/livez`)).status, 200)
    for (const socket of held) socket.destroy()
  })
}

test('a port in use is an error if the user chose it, otherwise a warning', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  atSuiteEnd(() => other.close())
  const { port } = other.address() as { port: number }
  const source = { status: () => statusOf() }
  const { warning, url } = await startAdmin({ host: '127.0.0.1', port, explicit: false, names: [] }, source)
  assert.is(url, undefined)
  assert.is(
    warning,
    `there is no admin page, so no metrics and no health checks: 127.0.0.1:${port} can't be used: it is in use by this process itself; choose another address with --admin or the option 'admin', or turn the page off with --admin off`,
  )
  try {
    await startAdmin({ host: '127.0.0.1', port, explicit: true, names: [] }, source)
    assert.unreachable()
  } catch (error) {
    assert.instance(error, BalancerError)
    assert.equal([(error as BalancerError).code, (error as BalancerError).retryable], ['ERR_ADDRESS_IN_USE', true])
    assert.is(
      (error as Error).message,
      `The admin page can't listen on 127.0.0.1:${port}: it is in use by this process itself; choose another address with --admin or the option 'admin', or turn the page off with --admin off`,
    )
  }
})

test.run()
