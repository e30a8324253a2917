// The choice of a listener of the config for a server, as a table.

import type { ServerAddress } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { chooseConfigured, type HeldListener, isSameAddress, type Role } from '../../src/listeners/listener-choice.ts'
import type { Bound } from '../../src/listeners/listeners.ts'

const test = suite('listener choice')

/** A listener of the config. The kernel chose port 40000 for port 0. */
function configured(number: number, asked: ServerAddress): Bound {
  const { host, port, path } = asked
  return {
    ...{ number, host: path === undefined ? (host ?? '::') : undefined, port: port === 0 ? 40_000 : port, path },
    asked: { host, port, path, ipv6Only: false, backlog: 511, peek: undefined },
    ...{ isConfigured: true, isManaged: false, oldNumber: undefined, inode: undefined },
  }
}

const held = (bound: Bound | undefined, role: Role): HeldListener => ({ bound: bound as Bound, role })

const main = configured(0, { port: 8080 })
const local = configured(1, { host: '127.0.0.1', port: 8443 })
const other = configured(2, { host: '127.0.0.2', port: 8443 })
const socket = configured(3, { path: '/run/app.sock' })
const any = configured(4, { host: '127.0.0.1', port: 0 })
const elsewhere = { ...configured(5, { port: 9464 }), isConfigured: false }

const table: [name: string, all: Bound[], request: ServerAddress, has: HeldListener[], expected: [Bound, Role] | 'in-use' | undefined][] = [
  ['no address in the config: a listener of its own', [], { port: 8080 }, [], undefined],
  ['its port', [main, local], { port: 8443 }, [], [local, 'asked']],
  ['its port, on another host', [main], { host: '127.0.0.1', port: 8080 }, [], [main, 'asked']],
  ['its port and host, of two', [local, other], { host: '127.0.0.2', port: 8443 }, [], [other, 'asked']],
  ['its path', [main, socket], { path: '/run/app.sock' }, [], [socket, 'asked']],
  ['the port that the kernel chose', [any], { port: 40_000 }, [], [any, 'asked']],
  ['the second family of localhost', [main], { host: '::1', port: 8080 }, [held(main, 'asked')], [main, 'second']],
  ['the same address a second time', [main], { port: 8080 }, [held(main, 'asked')], 'in-use'],
  ['any port, for the first server', [main], { port: 0 }, [], [main, 'asked']],
  ['any port, for a second server', [main], { port: 0 }, [held(main, 'asked')], undefined],
  ['a port of its own where the config has any', [any], { port: 3000 }, [], [any, 'asked']],
  ['another port: it stands in', [main, local], { port: 3000 }, [], [main, 'stands-in']],
  ['another port, while one stands in', [main], { port: 3000 }, [held(main, 'stands-in')], undefined],
  ['its port, while one stands in', [main], { port: 8080 }, [held(main, 'stands-in')], [main, 'asked']],
  ['another port, after the port of the config', [main], { port: 9464 }, [held(main, 'asked')], undefined],
  ['another port, after a listener outside the config', [main], { port: 3000 }, [held(elsewhere, 'asked')], [main, 'stands-in']],
  ['a path, where the config has a port', [main], { path: '/run/app.sock' }, [], [main, 'stands-in']],
]

for (const [name, all, request, has, expected] of table) {
  test(name, () => {
    const choice = chooseConfigured(all, request, has)
    assert.equal(typeof choice === 'object' ? [choice.bound, choice.role] : choice, expected)
  })
}

test('an address of the config without a host matches every host', () => {
  assert.ok(isSameAddress({ port: 9464 }, { host: '127.0.0.1', port: 9464 }))
  assert.ok(isSameAddress({ host: '127.0.0.1', port: 9464 }, { host: '127.0.0.1', port: 9464 }))
  assert.not.ok(isSameAddress({ host: '127.0.0.1', port: 9464 }, { port: 9464 }))
  assert.not.ok(isSameAddress({ port: 9464 }, { port: 9465 }))
  assert.ok(isSameAddress({ path: '/run/debug.sock' }, { path: '/run/debug.sock' }))
  assert.not.ok(isSameAddress({ port: 9464 }, { path: '/run/debug.sock' }))
})

test.run()
