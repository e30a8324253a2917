// An unmodified Next.js app behind HTTP/2 that ends in its workers. The app is installed from the registry that npm uses, and built, in a temporary folder.

import { createHash, randomBytes } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deflateSync } from 'node:zlib'
import { assert, suite } from '../../../test/suite.ts'
import { spawnLogged } from '../../../test/support/spawn.ts'
import { untilEvent } from '../../../test/support/until.ts'
import { Http2Client } from '../test/e2e/support/http2-client.ts'
import { portOf, startBalancer, temporaryFolder } from '../test/e2e/support/running-balancer.ts'
import { makeCertificate } from '../test/support/certificate-maker.ts'

const test = suite('Next.js over HTTP/2', { timeoutMs: 20 * 60_000 })
const folder = temporaryFolder()
const standalone = join(folder, '.next/standalone')
const BODY = randomBytes(300_000)
const SIZE = 256
let client: Http2Client
let home: string

test.before(async () => {
  cpSync(fileURLToPath(new URL('next-app', import.meta.url)), folder, { recursive: true })
  mkdirSync(join(folder, 'public'))
  writeFileSync(join(folder, 'public/square.png'), squarePng(SIZE))
  const env = { NEXT_TELEMETRY_DISABLED: '1' }
  await run(['install', '--no-audit', '--no-fund'], env)
  await run(['exec', '--', 'next', 'build'], env)
  for (const [from, to] of [
    ['public', 'public'],
    ['.next/static', '.next/static'],
  ] as const) {
    cpSync(join(folder, from), join(standalone, to), { recursive: true })
  }
  const balancer = await startBalancer({
    env,
    config: {
      app: join(standalone, 'server.js'),
      pools: { web: { workers: 2 } },
      listen: { host: '127.0.0.1', port: 0, tls: makeCertificate(folder, 'site', { names: ['localhost'] }), http2: { spread: true } },
    },
  })
  await balancer.untilAllReady()
  home = `127.0.0.1:${portOf(balancer.addresses[0] as string)}`
  client = new Http2Client(`https://${home}`)
})

/** Rejects with the output of npm. */
async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawnLogged('npm', [...args], { cwd: folder, env: { ...process.env, ...env } })
  const { code } = await child.ended
  assert.is(code, 0, `npm ${args.join(' ')} needs a registry:\n${child.output()}`)
  console.log(child.output().trim())
}

test('a page that is rendered for each request, and what it loads', async () => {
  const page = await client.get('/')
  assert.is(page.status, 200)
  assert.match(page.body, `<p id="host">${home}</p>`)
  const scripts = [...page.body.matchAll(/src="(\/_next\/static\/[^"]+\.js[^"]*)"/g)].map(([, path]) => path as string)
  assert.ok(scripts.length > 2)
  const loaded = await Promise.all(scripts.map((path) => client.get(path)))
  for (const [index, { status, body }] of loaded.entries()) {
    const file = (scripts[index] as string).replace(/\?.*/, '').replace('/_next/', '.next/')
    assert.equal([status, body], [200, readFileSync(join(folder, file), 'latin1')], file)
  }
})

test('200 requests at a time', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => client.get(index % 2 === 0 ? '/' : '/square.png')))
  assert.equal([...new Set(answers.map(({ status, rstCode }) => `${status} ${rstCode}`))], ['200 0'])
})

test('a static file, a part of it, HEAD and 304', async () => {
  const whole = await client.get('/square.png')
  assert.is(whole.headers['content-type'], 'image/png')
  const part = await client.get('/square.png', { range: 'bytes=1-3' })
  assert.equal([part.status, part.body], [206, 'PNG'])
  const head = await client.get('/square.png', { ':method': 'HEAD' })
  assert.equal([head.status, head.headers['content-length'], head.body], [200, whole.headers['content-length'], ''])
  const fresh = await client.get('/square.png', { 'if-none-match': String(whole.headers.etag) })
  assert.equal([fresh.status, fresh.body], [304, ''])
})

test('an image in the size of the page', async () => {
  const { status, headers, body } = await client.get('/_next/image?url=%2Fsquare.png&w=64&q=75', { accept: 'image/webp' })
  assert.equal([status, headers['content-type'], body.slice(8, 12)], [200, 'image/webp', 'WEBP'])
})

test('a page that streams: its first part comes before the late one', async () => {
  const stream = client.open('/stream', {}, true)
  const parts: string[] = []
  stream.setEncoding('utf8').on('data', (part: string) => parts.push(part))
  await untilEvent(stream, 'end')
  const first = parts.findIndex((part) => part.includes('the first part'))
  const late = parts.findIndex((part) => part.includes('the late part'))
  assert.ok(first !== -1 && late > first, `${parts.length} parts`)
})

test('a server action by a form, without a script', async () => {
  const { body } = await client.get('/form')
  assert.match(body, 'hello nobody')
  const [, action] = /name="(\$ACTION_ID_[^"]+)"/.exec(body) ?? []
  const boundary = 'x-boundary'
  const part = (name: string, value: string): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  const sent = await client.post('/form', `${part(String(action), '')}${part('name', 'Ada')}--${boundary}--\r\n`, {
    'content-type': `multipart/form-data; boundary=${boundary}`,
    origin: `https://${home}`,
  })
  assert.is(sent.status, 200, sent.body)
  assert.match(sent.body, 'hello Ada')
  const [cookie] = [sent.headers['set-cookie']].flat()
  assert.match((await client.get('/form', { cookie: ['other=1', String(cookie).split(';')[0] as string] })).body, 'hello Ada')
})

test('a route handler gets an upload and sends it back', async () => {
  const { status, sha256 } = await client.post('/echo', BODY)
  assert.equal([status, sha256], [201, createHash('sha256').update(BODY).digest('hex')])
})

/** A grey PNG. */
function squarePng(size: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(size, 0)
  header.writeUInt32BE(size, 4)
  header[8] = 8
  const rows = Buffer.alloc((size + 1) * size, 0x80)
  for (let row = 0; row < size; row++) rows[row * (size + 1)] = 0
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts])
}

function chunk(kind: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(kind), data])
  const size = Buffer.alloc(4)
  size.writeUInt32BE(data.length)
  const check = Buffer.alloc(4)
  check.writeUInt32BE(crc32(typed))
  return Buffer.concat([size, typed, check])
}

/** Node has its own since 20.15, whose types are not there yet. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}

test.run()
