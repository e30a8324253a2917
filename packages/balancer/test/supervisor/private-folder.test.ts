// The folder of private sockets: its modes, and how it is made, replaced and removed. Tests with other users need root.

import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { PrivateFolder } from '../../src/supervisor/private-sockets/private-folder.ts'

const test = suite('private folder')
/** User ids without accounts. */
const [ONE, OTHER, UNRELATED] = [20_001, 20_002, 20_003] as const
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

test('with one user, only that user may enter the folder', () => {
  const folder = new PrivateFolder()
  const socket = folder.socketFor(7)
  assert.is(socket, join(dirname(folder.servingSocketOf(7)), 'app.sock'))
  assert.equal([modeOf(dirname(socket)), modeOf(dirname(dirname(socket)))], ['700', '700'])
  folder.remove()
  assert.not.ok(existsSync(dirname(dirname(socket))))
})

test('the files of a worker are removed with it, and links are removed without their targets', async () => {
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

/** An empty folder for temporary files. */
function base(): string {
  const path = mkdtempSync(join(tmpdir(), 'base-'))
  atSuiteEnd(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('a removed folder is replaced under a new name, and the workers with sockets in the old one have a fault', () => {
  const notices: string[] = []
  const folder = new PrivateFolder({ bases: [base()], onNotice: (message) => notices.push(message) })
  const before = dirname(dirname(folder.socketFor(1)))
  assert.is(folder.faultOf(1), undefined)
  rmSync(before, { recursive: true })
  assert.match(String(folder.faultOf(1)), /is gone/)
  const victim = base()
  mkdirSync(join(victim, '1'))
  writeFileSync(join(victim, '1', 'kept'), 'a')
  // Another user has put a link under the old name.
  symlinkSync(victim, before)
  const after = dirname(dirname(folder.socketFor(2)))
  assert.is.not(after, before)
  assert.match(String(folder.faultOf(1)), /in a new folder/)
  assert.is(folder.faultOf(2), undefined)
  assert.match(notices.join(), /was removed/)
  folder.removeSocketsOf(1)
  folder.remove()
  assert.equal(readdirSync(join(victim, '1')), ['kept'])
  assert.not.ok(existsSync(after))
  rmSync(before)
})

test('a base that is missing, too deep or not a folder is skipped with a notice', () => {
  const good = base()
  const file = join(good, 'file')
  writeFileSync(file, '')
  const deep = join(good, 'x'.repeat(60), 'y'.repeat(60))
  mkdirSync(deep, { recursive: true })
  for (const [bad, why] of [
    ['/nonexistent', 'it does not exist'],
    [file, 'it is not a folder'],
    [deep, 'room for the path of a socket'],
  ] as const) {
    const notices: string[] = []
    const folder = new PrivateFolder({ bases: [bad, good], onNotice: (message) => notices.push(message) })
    assert.is(dirname(dirname(dirname(folder.socketFor(1)))), good)
    assert.match(notices.join(), why)
    folder.remove()
  }
  const none = new PrivateFolder({ bases: ['/nonexistent', deep] })
  assert.throws(() => none.socketFor(1), /no folder for the workers' private sockets: \/nonexistent \(it does not exist\);.*Set TMPDIR/)
  none.remove()
})

test('with workers of other users, a base that they may not pass through is the last choice', () => {
  const [own, open] = [base(), base()]
  chmodSync(open, 0o711)
  const shared = new PrivateFolder({ bases: [own, open], isShared: () => true })
  assert.is(dirname(dirname(dirname(shared.socketFor(1)))), open)
  const only = new PrivateFolder({ bases: [own], isShared: () => true })
  assert.is(dirname(dirname(dirname(only.socketFor(1)))), own)
  for (const folder of [shared, only]) folder.remove()
})

test('the next primary removes the folder of a killed one, and nothing else', async () => {
  const place = base()
  const used = new PrivateFolder({ bases: [place] })
  const inUse = dirname(dirname(used.socketFor(1)))
  const killed = await runAs(
    process.getuid?.() ?? 0,
    `const path = require('node:fs').mkdtempSync(${JSON.stringify(join(place, 'switchyard-'))})
     require('node:fs').mkdirSync(path + '/7')
     require('node:fs').symlinkSync('nowhere', path + '/7/serving.sock')
     require('node:net').createServer().listen(path + '/primary.sock', () => console.log(path))`,
  )
  await killed.end()
  const unknown = mkdtempSync(join(place, 'switchyard-'))
  mkdirSync(join(place, 'switchyard-notours'))
  assert.ok(existsSync(killed.output))
  const next = new PrivateFolder({ bases: [place] })
  const made = dirname(dirname(next.socketFor(2)))
  await until(() => !existsSync(killed.output), 5_000, 'the removal of the old folder')
  assert.equal(readdirSync(place).sort(), [inUse, made, unknown, join(place, 'switchyard-notours')].map((path) => basename(path)).sort())
  for (const folder of [used, next]) folder.remove()
})

test('a subfolder of a worker’s folder is never entered, also if it was swapped for a link', () => {
  const folder = new PrivateFolder({ bases: [base()] })
  const mine = dirname(folder.socketFor(1))
  const victim = base()
  writeFileSync(join(victim, 'important'), 'a')
  mkdirSync(join(mine, 'a'))
  writeFileSync(join(mine, 'a', 'important'), 'b')
  renameSync(join(mine, 'a'), join(mine, 'b'))
  symlinkSync(victim, join(mine, 'a'))
  folder.removeSocketsOf(1)
  folder.remove()
  assert.equal(readdirSync(victim), ['important'])
  assert.equal(readdirSync(mine), ['b'], 'a subfolder stays')
})

/** Runs code as a user. Resolves with what it printed first. */
async function runAs(uid: number, code: string): Promise<{ output: string; end: () => Promise<void> }> {
  const child = spawn(process.execPath, ['-e', code], { uid, gid: uid, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] })
  const [output] = await untilEvent(child.stdout, 'data')
  return {
    output: String(output).trim(),
    async end() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await untilEvent(child, 'exit')
    },
  }
}

async function listenAs(uid: number, path: string): Promise<() => Promise<void>> {
  const listener = await runAs(
    uid,
    `const path = ${JSON.stringify(path)}
     require('node:net').createServer((socket) => socket.end()).listen({ path, writableAll: true }, () => {
       require('node:fs').symlinkSync(path, require('node:path').join(path, '..', 'serving.sock'))
       console.log('listens')
     })`,
  )
  assert.is(listener.output, 'listens')
  return listener.end
}

/** For each path 'connected', or the code of the error. */
async function connectAs(uid: number, ...paths: string[]): Promise<string[]> {
  const client = await runAs(
    uid,
    `const connect = (path) => new Promise((resolve) => {
       require('node:net').connect(path).once('connect', () => resolve('connected')).once('error', ({ code }) => resolve(code))
     })
     Promise.all(${JSON.stringify(paths)}.map(connect)).then((outcomes) => console.log(outcomes.join()))`,
  )
  await client.end()
  return client.output.split(',')
}

if (process.getuid?.() === 0) {
  test('workers of another user have private folders that unrelated users can’t enter', async () => {
    const folder = new PrivateFolder()
    const owner = { uid: ONE, gid: ONE }
    const paths = [folder.socketFor(1, owner), folder.socketFor(2, owner)]
    assert.equal([modeOf(dirname(paths[0] as string)), modeOf(dirname(dirname(paths[0] as string)))], ['700', '711'])
    const stops = await Promise.all(paths.map((path) => listenAs(ONE, path)))
    const outcomes = await Promise.all([ONE, 0, UNRELATED].map((uid) => connectAs(uid, folder.servingSocketOf(2))))
    assert.equal(outcomes, [['connected'], ['connected'], ['EACCES']])
    for (const stop of stops) await stop()
    folder.remove()
    assert.not.ok(existsSync(dirname(dirname(paths[0] as string))))
  })

  test('workers of several users reach each other, also those that started earlier', async () => {
    const folder = new PrivateFolder()
    const own = folder.socketFor(1)
    const stops = [await listenAs(0, own)]
    assert.equal(await connectAs(ONE, own), ['EACCES'])
    stops.push(
      await listenAs(ONE, folder.socketFor(2, { uid: ONE, gid: ONE })),
      await listenAs(OTHER, folder.socketFor(3, { uid: OTHER, gid: OTHER })),
    )
    const sockets = [1, 2, 3].map((id) => folder.servingSocketOf(id))
    for (const uid of [0, ONE, OTHER])
      assert.equal(await connectAs(uid, ...sockets), ['connected', 'connected', 'connected'], `from ${uid}`)
    assert.is(modeOf(dirname(own)), '711')
    const names = await runAs(
      ONE,
      `try { console.log(require('node:fs').readdirSync(${JSON.stringify(dirname(dirname(own)))})) } catch ({ code }) { console.log(code) }`,
    )
    assert.is(names.output, 'EACCES', 'other users can’t list the folder')
    for (const stop of [...stops, names.end]) await stop()
    folder.remove()
  })
} else {
  test('without root, workers of other users are refused', () => {
    const folder = new PrivateFolder()
    assert.throws(() => folder.socketFor(1, { uid: ONE, gid: ONE }), /EPERM/)
    folder.remove()
  })
}

test.run()
