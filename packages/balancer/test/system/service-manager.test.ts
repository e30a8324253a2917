// The service manager's variables, and notifications with and without the native module.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { ServiceManager } from '../../src/system/service-manager.ts'

const test = suite('service manager')
const PID = 77
const ignore = (): void => {}

test('without a valid NOTIFY_SOCKET there is no service manager', () => {
  for (const env of [{}, { NOTIFY_SOCKET: '' }, { NOTIFY_SOCKET: 'relative' }, { NOTIFY_SOCKET: '@' }, { WATCHDOG_USEC: '1000' }]) {
    assert.is(ServiceManager.fromEnvironment(env, PID, ignore), undefined)
    assert.equal(env, {})
  }
})

test('the variables are removed from the environment and kept for a new primary', () => {
  const env = { NOTIFY_SOCKET: '@a', WATCHDOG_USEC: '3000000', WATCHDOG_PID: `${PID}`, OTHER: 'x' }
  const manager = ServiceManager.fromEnvironment(env, PID, ignore)
  assert.equal(env as object, { OTHER: 'x' })
  assert.is(manager?.watchdogMs, 3_000)
  assert.equal(manager?.env, { NOTIFY_SOCKET: '@a', WATCHDOG_USEC: '3000000' })
})

test('a watchdog of another process is ignored', () => {
  const env = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '3000000', WATCHDOG_PID: '78' }
  const manager = ServiceManager.fromEnvironment(env, PID, ignore)
  assert.equal([manager?.watchdogMs, manager?.env], [undefined, { NOTIFY_SOCKET: '/run/notify' }])
})

test('assignments are sent in one message; a failure is reported', () => {
  const sent: string[] = []
  const failures: string[] = []
  const send = (socket: string, text: string): boolean => {
    sent.push(`${socket} ${text}`)
    throw new Error('ENOENT')
  }
  const manager = ServiceManager.fromEnvironment({ NOTIFY_SOCKET: '@a' }, PID, (message) => failures.push(message), send)
  manager?.send('READY=1', 'STATUS=well')
  assert.equal([sent, failures], [['@a READY=1\nSTATUS=well'], ["the service manager can't be notified: ENOENT"]])
})

test('without the native module systemd-notify sends the messages, in order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'notify-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'messages')
  const command = join(folder, 'systemd-notify')
  writeFileSync(command, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${file}\n`)
  chmodSync(command, 0o755)
  const path = process.env.PATH
  process.env.PATH = `${folder}${delimiter}${path}`
  const manager = ServiceManager.fromEnvironment({ NOTIFY_SOCKET: '@a' }, PID, ignore, () => false)
  manager?.send('READY=1', 'STATUS=two words')
  manager?.send('WATCHDOG=1')
  const messages = await until(() => {
    try {
      const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
      return lines.length === 2 && lines
    } catch {
      return undefined
    }
  })
  process.env.PATH = path
  assert.equal(messages, ['@a READY=1 STATUS=two words', '@a WATCHDOG=1'])
})

test.run()
