// The shapes in which apps call listen().

import { assert, suite } from '../../../test/suite.ts'
import { readListenArguments } from '../src/listen-arguments.ts'

const test = suite('listen arguments')
const callback = () => {}

const table: [name: string, args: unknown[], read: object | undefined][] = [
  ['port', [3000], { port: 3000 }],
  ['port as text', ['3000'], { port: 3000 }],
  ['port and callback', [3000, callback], { port: 3000, callback }],
  ['port, host, backlog, callback', [3000, '127.0.0.1', 64, callback], { port: 3000, host: '127.0.0.1', backlog: 64, callback }],
  ['port and backlog', [3000, 64], { port: 3000, backlog: 64 }],
  ['nothing', [], { port: 0 }],
  ['only a callback', [callback], { port: 0, callback }],
  ['undefined port', [undefined, callback], { port: 0, callback }],
  ['null port', [null], { port: 0 }],
  ['path', ['/run/app.sock', callback], { path: '/run/app.sock', callback }],
  ['options', [{ port: 3000, host: '::1', backlog: 9 }, callback], { port: 3000, host: '::1', backlog: 9, callback }],
  ['options with path', [{ path: '/run/app.sock' }], { path: '/run/app.sock' }],
  ['options with port as text', [{ port: '3000' }], { port: 3000 }],
  ['a descriptor is Node’s own business', [{ fd: 3 }], undefined],
  ['a handle is Node’s own business', [{ _handle: {} }], undefined],
  ['a port that is none is Node’s to refuse', [70_000], undefined],
  ['a negative port is Node’s to refuse', [{ port: -1 }], undefined],
]

for (const [name, args, read] of table) {
  test(name, () => {
    const whole =
      read === undefined
        ? undefined
        : { host: undefined, port: undefined, path: undefined, backlog: undefined, callback: undefined, ...read }
    assert.equal(readListenArguments(args), whole)
  })
}

test.run()
