// What `npm start` makes for HTTPS: a certificate that it keeps, and nothing where it can't have one.

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { httpsVariables } from '../../../../scripts/demo-https.mjs'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { untilEvent } from '../../../../test/support/until.ts'

const test = suite('HTTPS of the demo')
const folder = mkdtempSync(join(tmpdir(), 'demo-https-'))
atSuiteEnd(() => rmSync(folder, { recursive: true }))

test('the certificate is kept, and its key is private', async () => {
  const files = ['localhost.crt', 'localhost.key'].map((name) => join(folder, name)) as [string, string]
  const port = String(await freePort())
  const made = () => httpsVariables([], { HTTPS_PORT: port }, folder)
  assert.equal(await made(), { variables: { HTTPS_PORT: port, CERTIFICATES: folder } })
  const before = readFileSync(files[0])
  await made()
  assert.ok(readFileSync(files[0]).equals(before))
  assert.is(statSync(files[1]).mode & 0o77, 0)
})

test('without a free port or openssl the demo starts without HTTPS, and says why', async () => {
  const taken = createServer().listen(0)
  await untilEvent(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const off = { HTTPS_PORT: '' }
  const { variables, notice } = await httpsVariables([], { HTTPS_PORT: String(port) }, folder)
  assert.equal(variables, off)
  assert.match(notice ?? '', `The demo starts without HTTPS: port ${port} is taken. HTTPS_PORT=`)
  taken.close()
  const { PATH } = process.env
  process.env.PATH = folder
  try {
    const free = String(await freePort())
    const without = await httpsVariables([], { HTTPS_PORT: free }, join(folder, 'none'))
    assert.equal(without.variables, off)
    assert.match(without.notice ?? '', 'openssl is not installed')
  } finally {
    process.env.PATH = PATH
  }
  assert.equal(await httpsVariables(['--listen', '8080'], {}, folder), { variables: off })
  assert.equal(await httpsVariables([], off, folder), { variables: off })
})

test.run()
