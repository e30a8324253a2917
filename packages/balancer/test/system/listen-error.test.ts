// The error for an address that can't be bound: what it means and what to do.

import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { listenError } from '../../src/system/listen-error.ts'
import { portOwner } from '../../src/system/port-owner.ts'

const test = suite('listen errors')

const failure = (code: string): Error => Object.assign(new Error(`bind ${code}`), { code })

const refusals: [address: { host?: string; port?: number; path?: string }, where: string, code: string, message: RegExp][] = [
  [
    { port: 80 },
    '[::]:80',
    'EACCES',
    /^cannot listen on \[::\]:80: this user lacks the right to listen on ports below 1024.*CAP_NET_BIND_SERVICE.*\(EACCES\)$/,
  ],
  [{ port: 3000 }, '[::]:3000', 'EACCES', /this user may not listen there \(EACCES\)$/],
  [{ path: '/srv/x/app.sock' }, '/srv/x/app.sock', 'EACCES', /: this user may not create a file in \/srv\/x; choose/],
  [{ path: '/srv/x/app.sock' }, '/srv/x/app.sock', 'ENOENT', /: the folder \/srv\/x does not exist; create it first \(ENOENT\)$/],
  [{ path: '/srv/x/app.sock' }, '/srv/x/app.sock', 'ENOTDIR', /: \/srv\/x is not a folder \(ENOTDIR\)$/],
  [{ host: '192.0.2.1', port: 80 }, '192.0.2.1:80', 'EADDRNOTAVAIL', /: this machine has no such address; leave out the host/],
  [{ host: 'nowhere.example', port: 80 }, 'nowhere.example:80', 'ENOTFOUND', /: the name nowhere\.example does not resolve/],
  [{ host: '::1', port: 80 }, '[::1]:80', 'EAFNOSUPPORT', /write an IPv4 address/],
  [{ port: 3000 }, '[::]:3000', 'EMFILE', /^cannot listen on \[::\]:3000 \(EMFILE\)$/],
]
for (const [address, where, code, message] of refusals) {
  test(`${code} at ${where}`, () => {
    const error = listenError(address, where, failure(code))
    assert.equal([error.code, error.retryable], ['ERR_LISTEN', false])
    assert.match(error.message, message)
  })
}

test('the error for an address in use names the process that listens', async () => {
  const source = "require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })"
  const other = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  atSuiteEnd(() => other.kill('SIGKILL'))
  const [line] = (await untilEvent(other.stdout, 'data')) as [Buffer]
  const port = Number(line)
  assert.is(portOwner({ port })?.pid, other.pid)
  const { code, message, retryable } = listenError({ port }, `127.0.0.1:${port}`, failure('EADDRINUSE'))
  assert.equal([code, retryable], ['ERR_ADDRESS_IN_USE', true])
  assert.match(
    message,
    new RegExp(`^127\\.0\\.0\\.1:${port} is in use by '.*node.*' \\(pid ${other.pid}\\): stop that process, or listen elsewhere`),
  )
})

test('the error names an address of this process, and no owner when it is unknown', async () => {
  const own = createServer().listen(0, '127.0.0.1')
  await untilEvent(own, 'listening')
  const { port } = own.address() as { port: number }
  assert.match(listenError({ port }, 'here', failure('EADDRINUSE')).message, /^here is in use by this process itself: /)
  own.close()
  await untilEvent(own, 'close')
  assert.is(portOwner({ port }), undefined)
  assert.match(listenError({ port }, 'here', failure('EADDRINUSE')).message, /^here is in use: stop that process/)
  assert.is(portOwner({ path: '/nowhere/app.sock' }), undefined)
})

test.run()
