// The control socket as a file: its modes, its owner, replacing it and removing it.

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
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { answers, ControlClient } from '../../src/control/control-client.ts'
import { controlPathsOf, defaultControlPath } from '../../src/control/control-path.ts'
import { placeSocket } from '../../src/control/control-socket.ts'
import { BalancerError } from '../../src/errors.ts'

const test = suite('control socket')
const base = mkdtempSync(join(tmpdir(), 'control-'))
atSuiteEnd(() => rmSync(base, { recursive: true, force: true }))

let folders = 0
function newFolder(mode = 0o700): string {
  const folder = join(base, String(folders++))
  mkdirSync(folder)
  chmodSync(folder, mode)
  return folder
}

/** Places a socket. `end` removes the file, then closes the server. */
async function place(path: string, takeOver = false) {
  const server = createServer((socket) => socket.end())
  const socket = await placeSocket(server, { path, takeOver })
  const end = async (): Promise<void> => {
    socket.remove()
    await close(server)
  }
  return { socket, end }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

async function refusal(path: string): Promise<string> {
  try {
    await (await place(path)).end()
  } catch (error) {
    assert.instance(error, BalancerError)
    assert.is((error as BalancerError).code, 'ERR_CONTROL')
    return (error as BalancerError).message
  }
  throw new Error(`${path} was placed`)
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

test('only the user may enter the folder and use the socket', async () => {
  const folder = join(newFolder(), 'own')
  const path = join(folder, 'a.sock')
  const earlier = process.umask(0)
  const { end } = await place(path).finally(() => process.umask(earlier))
  assert.equal([modeOf(folder), modeOf(path)], ['700', '600'])
  assert.ok(await answers(path))
  assert.equal(readdirSync(folder), ['a.sock'])
  await end()
  assert.not.ok(existsSync(folder), 'the folder is removed')
})

test('a folder stays if it existed before, or has other sockets in it', async () => {
  const there = newFolder()
  await (await place(join(there, 'a.sock'))).end()
  assert.equal(readdirSync(there), [])
  const own = join(newFolder(), 'own')
  const [first, second] = [await place(join(own, 'a.sock')), await place(join(own, 'b.sock'))]
  await first.end()
  assert.equal(readdirSync(own), ['b.sock'])
  await second.end()
})

test('a stale socket is replaced', async () => {
  const folder = newFolder()
  const path = join(folder, 'a.sock')
  const dead = createServer()
  await new Promise<void>((resolve) => dead.listen(join(folder, 'b.sock'), resolve))
  renameSync(join(folder, 'b.sock'), path)
  await close(dead)
  assert.ok(existsSync(path))
  const { end } = await place(path)
  assert.ok(await answers(path))
  assert.equal(readdirSync(folder), ['a.sock'])
  await end()
})

test('a socket that answers is not replaced', async () => {
  const path = join(newFolder(), 'a.sock')
  const { end } = await place(path)
  assert.is(await refusal(path), `Another balancer answers on the control socket ${path}`)
  assert.ok(await answers(path))
  assert.equal(readdirSync(join(path, '..')), ['a.sock'])
  await end()
})

test('a new primary replaces the socket, and the old primary does not remove it', async () => {
  const path = join(newFolder(), 'a.sock')
  const [old, next] = [await place(path), await place(path, true)]
  assert.equal([old.socket.isOurs(), next.socket.isOurs()], [false, true])
  await old.end()
  assert.ok(await answers(path))
  await next.end()
  assert.not.ok(existsSync(path))
})

test('a file that is not a socket is not replaced', async () => {
  const path = join(newFolder(), 'a.sock')
  writeFileSync(path, 'mine')
  assert.is(await refusal(path), `The file ${path} is not a socket`)
  assert.is(readFileSync(path, 'utf8'), 'mine')
})

test('a folder that other users may enter is refused', async () => {
  for (const mode of [0o755, 0o710, 0o701, 0o770]) {
    const folder = newFolder(mode)
    assert.match(await refusal(join(folder, 'a.sock')), `(its mode is ${mode.toString(8)}, not 700): ${folder}`)
    assert.equal(readdirSync(folder), [])
  }
})

test('a folder that is a file, or can’t be made, is refused', async () => {
  const file = join(newFolder(), 'file')
  writeFileSync(file, '')
  assert.match(await refusal(join(file, 'a.sock')), `and ${file} is not a folder`)
  assert.match(await refusal(join(base, 'no', 'such', 'a.sock')), "The folder of the control socket can't be made: ENOENT")
})

test('a path that is too long for the system is refused', async () => {
  const folder = newFolder()
  const path = join(folder, 'x'.repeat(108 - folder.length))
  assert.match(await refusal(path), 'has 109 bytes, and the system allows 107')
  const longest = path.slice(0, 107)
  const { end } = await place(longest)
  assert.ok(await answers(longest))
  await end()
})

test('each folder and each config has its own default path, in a folder of the user', () => {
  const home = newFolder()
  writeFileSync(join(home, 'balancer.config.json'), '{}')
  writeFileSync(join(home, 'other.json'), '{}')
  const env = { XDG_RUNTIME_DIR: newFolder() }
  const of = (file?: string) => defaultControlPath({ file: file && join(home, file), folder: home }, env)
  assert.match(of(), new RegExp(`^${env.XDG_RUNTIME_DIR}/switchyard-${process.getuid?.()}/\\d+-[0-9a-f]{10}\\.sock$`))
  assert.is(of('balancer.config.json'), of(), 'the config of the folder is the default')
  assert.is.not(of('other.json'), of())
  assert.is.not(defaultControlPath({ folder: join(home, 'x') }, env), of())
  const elsewhere = newFolder()
  assert.match(defaultControlPath({ folder: home }, { TMPDIR: elsewhere }), new RegExp(`^${elsewhere}/switchyard-`))
  const deep = join(elsewhere, 'x'.repeat(60), 'y'.repeat(40))
  mkdirSync(deep, { recursive: true })
  for (const TMPDIR of ['/no/such', deep]) assert.match(defaultControlPath({ folder: home }, { TMPDIR }), /^\/tmp\/switchyard-/)
  assert.match(defaultControlPath({ folder: home }, { XDG_RUNTIME_DIR: '/no/such' }), new RegExp(`^${tmpdir()}/switchyard-`))
})

test('a command searches all paths that the balancer may have used, by any name of its folder', () => {
  const home = newFolder()
  const link = join(newFolder(), 'current')
  symlinkSync(home, link)
  const service = defaultControlPath({ folder: home }, {})
  assert.ok(controlPathsOf({ folder: link }, { XDG_RUNTIME_DIR: newFolder() }).includes(service))
})

test('a balancer that closes without an answer may have no descriptors left, and the error says so', async () => {
  const path = join(newFolder(), 'full.sock')
  const server = createServer((socket) => socket.destroy())
  await placeSocket(server, { path })
  try {
    await new ControlClient(path).status()
    assert.unreachable()
  } catch (error) {
    assert.is((error as BalancerError).code, 'ERR_NOT_RUNNING')
    assert.match((error as BalancerError).message, /closed the connection without an answer.* no descriptor left: try again/)
  } finally {
    await close(server)
  }
})

test('what a balancer of an older version does not answer is undefined', async () => {
  const path = join(newFolder(), 'older.sock')
  const server = createHttpServer((_request, response) => response.writeHead(404).end('{"error":"not found"}'))
  await placeSocket(server, { path })
  try {
    const client = new ControlClient(path)
    const asked = [client.failedExchanges(), client.cutConnections(), client.logFiles(), client.dashboardLink()]
    assert.equal(await Promise.all(asked), [undefined, undefined, undefined, undefined])
  } finally {
    await close(server)
  }
})

test.run()
