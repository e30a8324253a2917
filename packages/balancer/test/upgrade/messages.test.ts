// The frames of the upgrade protocol, which primaries of other versions read and write.

import { assert, suite } from '../../../../test/suite.ts'
import { fromWire, type StartMessage, type ToNewPrimary, type ToOldPrimary, toWire } from '../../src/upgrade/messages.ts'

const test = suite('upgrade messages')
const startMessage: StartMessage = { version: 1, pid: 7, sockets: [], peeks: {}, ticketKeys: [], generations: {}, workers: {} }

const frames: readonly [message: ToNewPrimary | ToOldPrimary, frame: object][] = [
  [
    { kind: 'start', startMessage },
    { talk: 'bequest', bequest: startMessage },
  ],
  [
    { kind: 'state', name: 'visitors', entries: [{ slot: 1 }] },
    { talk: 'heirloom', name: 'visitors', entries: [{ slot: 1 }] },
  ],
  [{ kind: 'stateSent' }, { talk: 'copied' }],
  [{ kind: 'accept' }, { talk: 'go' }],
  [{ kind: 'mainProcess' }, { talk: 'yours' }],
  [{ kind: 'drained' }, { talk: 'leaving' }],
  [{ kind: 'cancelled' }, { talk: 'abandoned' }],
  [
    { kind: 'starting', timeoutMs: 5 },
    { talk: 'starting', timeoutMs: 5 },
  ],
  [
    { kind: 'ready', workers: 2, isPassing: true, transfers: ['visitors'] },
    { talk: 'ready', workers: 2, takes: true, heirlooms: ['visitors'] },
  ],
  [{ kind: 'stateReceived' }, { talk: 'taken' }],
  [
    { kind: 'serving', listeners: [0, 2] },
    { talk: 'serving', taken: [0, 2] },
  ],
  [{ kind: 'settled' }, { talk: 'settled' }],
  [
    { kind: 'failed', message: 'no app' },
    { talk: 'failed', message: 'no app' },
  ],
  [{ kind: 'closed' }, { talk: 'closed' }],
]

for (const [message, frame] of frames) {
  test(`${message.kind} is written and read as version 1 of the protocol has it`, () => {
    assert.equal(toWire(message), frame)
    assert.equal(fromWire(frame), message)
  })
}

test('a message of an unknown kind is read as it is', () => {
  assert.equal(fromWire({ talk: 'later', value: 1 }) as object, { kind: 'later', value: 1 })
})

test.run()
