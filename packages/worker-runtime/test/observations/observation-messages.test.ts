// Observations of a worker that lies.

import { assert, suite } from '../../../../test/suite.ts'
import { readFromWorker } from '../../src/message-checks.ts'

const test = suite('observation messages')

const read = (observed: unknown) => {
  const message = readFromWorker({ switchyard: 'observed', observed })
  return message?.switchyard === 'observed' ? message.observed : undefined
}

const blocking = { method: 'GET', path: '/reports/:id', requests: 3, blockedMs: 900, sampled: 1 }

test('a true one arrives as it was sent', () => {
  const whole = {
    blocking: [blocking, { ...blocking, path: '/files/*' }, { ...blocking, path: '/' }],
    sampled: 7,
    otherPaths: 2,
    proxies: [
      { address: '10.0.0.5', clients: 40 },
      { address: 'unix', clients: 9 },
    ],
    changingKeys: [{ route: '/cart/*', requests: 5 }],
    lostSessions: { requests: 3, path: '/socket.io/*', isSticky: false },
  }
  assert.equal(read(JSON.parse(JSON.stringify(whole))), whole)
})

test('what can be no observation is left out or 0', () => {
  const none = { blocking: [], sampled: 0, otherPaths: 0, proxies: [], changingKeys: [], lostSessions: undefined }
  for (const lie of [undefined, null, 7, 'a', [], {}, { blocking: 7, proxies: {}, changingKeys: null, lostSessions: [] }])
    assert.equal(read(lie), none)
  assert.equal(read({ blocking: [{ ...blocking, path: "/'; evil" }, { ...blocking, method: 'get\n' }, null] }), none)
  assert.equal(read({ proxies: [{ address: 'example.com', clients: 9 }] }), none)
  assert.equal(read({ sampled: -1, otherPaths: Number.NaN }), none)
  assert.is(read({ blocking: Array.from({ length: 1_000 }, () => blocking) })?.blocking.length, 32)
})

test.run()
