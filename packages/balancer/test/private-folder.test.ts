// Who may come into the folder of the private sockets. What needs other users is tested where this runs as root, and says so elsewhere.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { assert, suite } from '../../../test/suite.ts'
import { untilEvent } from '../../../test/support/until.ts'
import { PrivateFolder } from '../src/supervisor/private-folder.ts'

const test = suite('private folder')
/** Numbers of users that nobody needs to have a name for. */
const [ONE, OTHER, STRANGER] = [20_001, 20_002, 20_003] as const
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

test('a folder of one user is for that user alone', () => {
  const folder = new PrivateFolder()
  const socket = folder.socketFor(7)
  assert.is(socket, join(dirname(folder.servingSocketOf(7)), 'app.sock'))
  assert.equal([modeOf(dirname(socket)), modeOf(dirname(dirname(socket)))], ['700', '700'])
  folder.remove()
  assert.not.ok(existsSync(dirname(dirname(socket))))
})

test('what a worker leaves behind goes with it, its links without what they lead to', async () => {
  const folder = new PrivateFolder()
  const elsewhere = join(tmpdir(), `private-folder-${process.pid}`)
  mkdirSync(elsewhere)
  writeFileSync(join(elsewhere, 'kept'), 'a')
  const socket = folder.socketFor(1)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  symlinkSync(socket, folder.servingSocketOf(1))
  symlinkSync(elsewhere, join(dirname(socket), 'link'))
  folder.removeSocketsOf(1)
  assert.not.ok(existsSync(dirname(socket)))
  folder.removeSocketsOf(1)
  const other = folder.socketFor(2)
  symlinkSync(elsewhere, join(dirname(other), 'link'))
  folder.remove()
  assert.not.ok(existsSync(dirname(dirname(socket))))
  assert.is(readFileSync(join(elsewhere, 'kept'), 'utf8'), 'a')
  rmSync(elsewhere, { recursive: true })
  await new Promise((resolve) => server.close(resolve))
})

/** Runs code as a user; resolves with what it printed. */
async function as(uid: number, code: string): Promise<{ said: string; end: () => Promise<void> }> {
  const child = spawn(process.execPath, ['-e', code], { uid, gid: uid, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = await untilEvent(child.stdout, 'data')
  return {
    said: String(said).trim(),
    async end() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await untilEvent(child, 'exit')
    },
  }
}

async function listenAs(uid: number, path: string): Promise<() => Promise<void>> {
  const listener = await as(
    uid,
    `const path = ${JSON.stringify(path)}
     require('node:net').createServer((socket) => socket.end()).listen({ path, writableAll: true }, () => {
       require('node:fs').symlinkSync(path, require('node:path').join(path, '..', 'serving.sock'))
       console.log('listens')
     })`,
  )
  assert.is(listener.said, 'listens')
  return listener.end
}

async function connectAs(uid: number, path: string): Promise<string> {
  const client = await as(
    uid,
    `require('node:net').connect(${JSON.stringify(path)}).once('connect', () => console.log('connected')).once('error', ({ code }) => console.log(code))`,
  )
  await client.end()
  return client.said
}

if (process.getuid?.() === 0) {
  test('workers of another user have a folder of their own, and others stay outside', async () => {
    const folder = new PrivateFolder()
    const owner = { uid: ONE, gid: ONE }
    const paths = [folder.socketFor(1, owner), folder.socketFor(2, owner)]
    assert.equal([modeOf(dirname(paths[0] as string)), modeOf(dirname(dirname(paths[0] as string)))], ['700', '711'])
    const stops = [await listenAs(ONE, paths[0] as string), await listenAs(ONE, paths[1] as string)]
    assert.is(await connectAs(ONE, folder.servingSocketOf(2)), 'connected')
    assert.is(await connectAs(0, folder.servingSocketOf(2)), 'connected')
    assert.is(await connectAs(STRANGER, folder.servingSocketOf(2)), 'EACCES')
    for (const stop of stops) await stop()
    folder.remove()
    assert.not.ok(existsSync(dirname(dirname(paths[0] as string))))
  })

  test('workers of several users reach each other, those that were there before too', async () => {
    const folder = new PrivateFolder()
    const own = folder.socketFor(1)
    const stops = [await listenAs(0, own)]
    assert.is(await connectAs(ONE, own), 'EACCES')
    stops.push(
      await listenAs(ONE, folder.socketFor(2, { uid: ONE, gid: ONE })),
      await listenAs(OTHER, folder.socketFor(3, { uid: OTHER, gid: OTHER })),
    )
    for (const uid of [0, ONE, OTHER])
      for (const id of [1, 2, 3]) assert.is(await connectAs(uid, folder.servingSocketOf(id)), 'connected', `${uid} to ${id}`)
    assert.is(modeOf(dirname(own)), '711')
    const names = await as(
      ONE,
      `try { console.log(require('node:fs').readdirSync(${JSON.stringify(dirname(dirname(own)))})) } catch ({ code }) { console.log(code) }`,
    )
    assert.is(names.said, 'EACCES', 'nobody sees who is there')
    for (const stop of [...stops, names.end]) await stop()
    folder.remove()
  })
} else {
  test('only root has workers of other users: here are none', () => {
    const folder = new PrivateFolder()
    assert.throws(() => folder.socketFor(1, { uid: ONE, gid: ONE }), /EPERM/)
    folder.remove()
  })
}

test.run()
