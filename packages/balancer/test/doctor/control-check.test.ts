// The check of the control socket, on real files. The user of the check is given, because only root can give a file to another user.

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { checkControl } from '../../src/doctor/control-check.ts'

const test = suite('control check')
const base = mkdtempSync(join(tmpdir(), 'control-'))
atSuiteEnd(() => rmSync(base, { recursive: true }))

let count = 0
function newFolder(mode = 0o700): string {
  const folder = join(base, String(count++))
  mkdirSync(folder, { mode })
  chmodSync(folder, mode)
  return folder
}

const check = (path: string | undefined, more: Partial<Parameters<typeof checkControl>[0]> = {}) =>
  checkControl({ path, isNamed: true, running: undefined, ...more })

function listening(path: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.listen(path, () => resolve(server))
  })
}

const closed = (server: Server) => new Promise((resolve) => server.close(resolve))

test('a running balancer is named', async () => {
  const running = { path: '/run/x.sock', status: { name: 'shop', pid: 7, addresses: [] } }
  assert.equal(await check('/run/x.sock', { running }), {
    name: 'control socket',
    state: 'ok',
    found: "balancer 'shop' (pid 7) answers on /run/x.sock",
  })
})

test('no socket yet, and nothing is left behind', async () => {
  const folder = newFolder()
  assert.is((await check(join(folder, 'x.sock'))).state, 'ok')
  assert.is((await check(join(folder, 'made-at-the-start', 'x.sock'))).state, 'ok')
  assert.equal(readdirSync(folder), [])
  assert.is((await check(undefined)).state, 'ok')
})

test('a socket left over by a killed balancer', async () => {
  const folder = newFolder()
  const server = await listening(join(folder, 'moved'))
  renameSync(join(folder, 'moved'), join(folder, 'x.sock'))
  await closed(server)
  const { state, found, advice } = await check(join(folder, 'x.sock'))
  assert.is(state, 'warning')
  assert.match(found, /is left over from a balancer that was killed$/)
  assert.match(advice ?? '', /it replaces the socket/)
})

test('the folder belongs to another user', async () => {
  const path = join(newFolder(), 'x.sock')
  const { state, found, advice } = await check(path, { user: 4_242 })
  assert.is(state, 'fault')
  assert.match(found, /the folder of the control socket belongs to another user: .*; the balancer does not start$/)
  assert.match(advice ?? '', /as the user that owns .*--control off\.$/)
  const byDefault = await check(path, { user: 4_242, isNamed: false })
  assert.is(byDefault.state, 'warning')
  assert.match(byDefault.found, /would run without one/)
})

test('others may enter the folder', async () => {
  const folder = newFolder(0o755)
  const { state, advice } = await check(join(folder, 'x.sock'))
  assert.is(state, 'fault')
  assert.match(advice ?? '', new RegExp(`^Run 'chmod 700 ${folder}'`))
})

test('something else is in its place', async () => {
  const folder = newFolder()
  writeFileSync(join(folder, 'file'), '')
  assert.match((await check(join(folder, 'file'))).found, /is not a socket/)
  const server = await listening(join(folder, 'other.sock'))
  try {
    assert.match((await check(join(folder, 'other.sock'))).found, /a process that is no balancer, or hangs, listens on/)
  } finally {
    await closed(server)
  }
  assert.match((await check(join(folder, 'a', 'b', 'x.sock'))).found, /can't be opened: ENOENT/)
  assert.match((await check(join(folder, 'x'.repeat(120)))).found, /and the system allows 107/)
})

test.run()
