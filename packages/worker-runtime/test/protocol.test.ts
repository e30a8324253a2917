// What a worker says is checked on arrival: it may lie, and an app may send messages of its own.

import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import { readFromPrimary, readFromWorker } from '../src/protocol.ts'

const test = suite('protocol')

test('messages of the app are not ours', () => {
  for (const message of [undefined, null, 1, 'drained', [], {}, { switchyard: 'nonsense' }, { type: 'report' }]) {
    assert.is(readFromWorker(message), undefined)
    assert.is(readFromPrimary(message), undefined)
  }
})

test('nonsense in a report becomes 0, and a share stays a share', () => {
  const load = { inFlight: -3, connections: '9', received: 2.7, loopLagMs: Number.NaN, utilisation: 7, latencyMs: Number.POSITIVE_INFINITY }
  assert.equal(readFromWorker({ switchyard: 'report', load }), {
    switchyard: 'report',
    load: { inFlight: 0, connections: 0, received: 2, loopLagMs: 0, utilisation: 1, latencyMs: 0, memoryBytes: 0 },
  })
})

test('an address is a port, a host or a path, or nothing', () => {
  const read = (address: unknown) => readFromWorker({ switchyard: 'listening', address })
  assert.equal(read({ port: 99999, host: 1, path: {} }), {
    switchyard: 'listening',
    address: { host: undefined, port: undefined, path: undefined },
  })
  assert.is(read('3000'), undefined)
})

test('a notice is bounded', () => {
  const read = readFromWorker({ switchyard: 'notice', message: 'x'.repeat(10_000) }) as { message: string }
  assert.is(read.message.length, 2000)
})

test('anything at all is read without throwing', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('report', 'listening', 'notice', 'drained', 'drain'),
      fc.anything(),
      fc.anything(),
      (kind, load, message) => {
        readFromWorker({ switchyard: kind, load, address: load, message })
        readFromPrimary({ switchyard: kind, load })
      },
    ),
  )
})

test.run()
