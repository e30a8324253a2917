// The check of addresses, with sockets of this process and of a balancer that is given as a value.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { checkAddresses } from '../../src/doctor/address-check.ts'
import type { ListenAddress } from '../../src/listener-settings.ts'

const test = suite('address check')
const folder = mkdtempSync(join(tmpdir(), 'addresses-'))
atSuiteEnd(() => rmSync(folder, { recursive: true }))

const tcp = (port: number, host = '127.0.0.1'): ListenAddress => ({
  host,
  port,
  path: undefined,
  ipv6Only: false,
  backlog: 511,
  peek: undefined,
})
const unix = (path: string): ListenAddress => ({ ...tcp(0), host: undefined, port: undefined, path })
const check = (listen: ListenAddress[] | undefined, more: Partial<Parameters<typeof checkAddresses>[0]> = {}) =>
  checkAddresses({ listen, admin: undefined, running: undefined, ...more })

function listening(where: number | string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    const done = (): void => resolve(server)
    if (typeof where === 'number') server.listen(where, '127.0.0.1', done)
    else server.listen(where, done)
  })
}

const closed = (server: Server) => new Promise((resolve) => server.close(resolve))

test('free addresses stay free', async () => {
  const port = await freePort()
  assert.equal(await check([tcp(port), tcp(0)]), {
    name: 'addresses',
    state: 'ok',
    found: `127.0.0.1:${port} is free\n127.0.0.1:0: the system chooses the port`,
  })
  await closed(await listening(port))
})

test('a port in use is named with its process', async () => {
  const server = await listening(0)
  const { port } = server.address() as AddressInfo
  const free = await freePort()
  try {
    const { state, found, advice } = await check([tcp(free), tcp(port)])
    assert.is(state, 'fault')
    // Owners are found where /proc shows them.
    assert.match(found, new RegExp(`^127\\.0\\.0\\.1:${port} is in use( by this process itself)?$`))
    assert.match(advice ?? '', /^Stop that process, or listen elsewhere\.$/)
  } finally {
    await closed(server)
  }
})

test('a port that the running balancer of this config holds is fine', async () => {
  const server = await listening(0)
  const { port } = server.address() as AddressInfo
  const running = { path: '/x.sock', status: { name: 'shop', pid: 1_234_567, addresses: [`127.0.0.1:${port}`] } }
  try {
    const { state, found } = await check([tcp(port)], { running })
    assert.is(state, 'ok')
    assert.match(found, /is held by balancer 'shop' \(pid 1234567\), which runs$/)
  } finally {
    await closed(server)
  }
})

test('a port below 1024 without the right to it', async () => {
  const tryListen = () => Promise.reject(Object.assign(new Error('listen EACCES'), { code: 'EACCES' }))
  const { state, found, advice } = await check([{ ...tcp(80), host: undefined }], { tryListen })
  assert.is(state, 'fault')
  assert.match(found, /^cannot listen on \[::\]:80: this user lacks the right to listen on ports below 1024$/)
  assert.match(advice ?? '', /^Choose a higher port.*CAP_NET_BIND_SERVICE/)
})

test('an address of another machine', async () => {
  const { state, advice } = await check([tcp(8080, '192.0.2.1')])
  assert.is(state, 'fault')
  assert.match(advice ?? '', /^Leave out the host/)
})

test('the default admin page in use is a warning, one of the config a fault', async () => {
  const server = await listening(0)
  const { port } = server.address() as AddressInfo
  try {
    const byDefault = await check(undefined, { admin: { host: '127.0.0.1', port, explicit: false, names: [] } })
    assert.is(byDefault.state, 'warning')
    assert.match(byDefault.found, /^admin page: .* is in use.*, so there would be no admin page$/)
    assert.match(byDefault.advice ?? '', /--admin/)
    assert.is((await check(undefined, { admin: { host: '127.0.0.1', port, explicit: true, names: [] } })).state, 'fault')
  } finally {
    await closed(server)
  }
})

test('unix sockets: free, stale, in use, no socket, no folder', async () => {
  const [free, stale, used, file] = ['free', 'stale', 'used', 'file'].map((name) => join(folder, name)) as [string, string, string, string]
  const moved = await listening(join(folder, 'moved'))
  renameSync(join(folder, 'moved'), stale)
  await closed(moved)
  writeFileSync(file, '')
  const server = await listening(used)
  try {
    assert.is((await check([unix(free)])).state, 'ok')
    assert.is((await check([unix(stale)])).state, 'ok')
    assert.match((await check([unix(used)])).found, /used is in use/)
    assert.is((await check([unix(file)])).state, 'fault')
    const { found, advice } = await check([unix(join(folder, 'nowhere', 'app.sock'))])
    assert.match(found, /the folder .*nowhere does not exist$/)
    assert.is(advice, 'Create it first.')
  } finally {
    await closed(server)
  }
})

test.run()
