// A hostile worker has the same socket and the same memory as any other. It leaks nothing into the primary and breaks nothing.

import { closeSync, ftruncateSync, readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { assert, suite } from '../../../../test/suite.ts'
import { openDescriptors } from '../../../../test/support/descriptors.ts'
import { descriptorSender, type SentKind, sendDescriptors } from '../../../../test/support/sends-descriptors.ts'
import { until } from '../../../../test/support/until.ts'
import { type Connection, rowWords } from '../../src/index.ts'
import { NativeLink } from '../../src/native/native-link.ts'

const test = suite('native: hostile workers', { timeoutMs: 30_000 })
const program = descriptorSender()
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** A link whose worker's ends are in this process, and the connections that are given back over it. */
function openLink(): { link: NativeLink; givenBack: Connection[]; send: (bytes: Buffer, kind: SentKind, count: number) => void } {
  const givenBack: Connection[] = []
  const onGivenBack = (connection: Connection) => void givenBack.push(connection)
  const link = new NativeLink({ onGivenBack, onAsked() {}, onTurned() {}, onBatchEnd() {} })
  const { socket } = link.channel.ends
  return { link, givenBack, send: (bytes, kind, count) => sendDescriptors(program, socket, bytes, kind, count) }
}

/** A message that gives connections back, each with one byte. */
function giveBack(count: number): Buffer {
  const words = [count, ...Array.from({ length: count }, () => [0, 0, 0, 1]).flat()]
  return Buffer.concat([Buffer.from(Uint32Array.from(words).buffer), Buffer.alloc(count, 'x')])
}

for (const [what, bytes, kind, count] of [
  ['no bytes', Buffer.alloc(0), 'file', 64],
  ['malformed bytes', Buffer.from('nonsense'), 'file', 64],
  ['no entries', Buffer.alloc(4), 'stream', 64],
  ['more descriptors than it names', giveBack(1), 'file', 64],
  ['more descriptors than there is room for', Buffer.alloc(4), 'file', 200],
  ['a file as a connection', giveBack(1), 'file', 1],
  ['a socket that listens as a connection', giveBack(1), 'listener', 1],
  ['a UDP socket as a connection', giveBack(1), 'udp', 1],
] as const) {
  test(`a message with ${what} leaves no descriptor and no connection, and nothing more is read from its sender`, async () => {
    const { link, givenBack, send } = openLink()
    const before = openDescriptors()
    send(bytes, kind, count)
    send(giveBack(1), 'stream', 1)
    link.channel.readAll()
    await until(() => openDescriptors() <= before, 5_000, 'no descriptor left')
    assert.equal(givenBack, [])
    link.channel.close()
  })
}

test('a well-formed message gives connections back', () => {
  const { link, givenBack, send } = openLink()
  const before = openDescriptors()
  send(giveBack(2), 'stream', 2)
  link.channel.readAll()
  assert.equal(
    givenBack.map(({ carried }) => carried?.toString()),
    ['x', 'x'],
  )
  for (const { fd } of givenBack) closeSync(fd)
  assert.is(openDescriptors(), before)
  link.channel.close()
})

test('the shared page can be neither shortened nor extended', () => {
  const { link } = openLink()
  for (const bytes of [0, 1 << 20]) assert.throws(() => ftruncateSync(link.channel.ends.memory, bytes), /EPERM/)
  assert.is(link.load.inFlight, 0)
  link.channel.close()
})

test('impossible load values are ignored', () => {
  const { link } = openLink()
  link.channel.row.fill(-1, 0, 16)
  const { inFlight, connections, latencyMs, utilisation, turnMs, loopLagMs } = link.load
  assert.equal([inFlight, connections, latencyMs, utilisation, turnMs, loopLagMs], [0, 0, 0, 0, 0, 0])
  assert.ok(link.load.busyMs >= 0)
  link.channel.close()
})

test('claims without an offer settle nothing', () => {
  const { link } = openLink()
  link.channel.row.fill(-1, 32)
  assert.equal([...link.channel.settle(), ...link.channel.takeBack()], [])
  link.channel.close()
})

test('calls of a closed channel do nothing, and its row keeps its last state', () => {
  const { link } = openLink()
  link.channel.row[rowWords.latencyUs] = 7000
  link.channel.close()
  link.channel.close()
  assert.is(link.load.latencyMs, 7)
  link.load.cancelNotice()
  link.sendReadySlots([0, 1])
  link.channel.answer({ id: 1, reason: 0, avoid: 0, listener: 0, address: '', hello: '', head: Buffer.alloc(0) }, 0)
  link.channel.flush()
  link.channel.settle()
  link.channel.readAll()
  link.channel.recall(9, 0)
  link.channel.takeBack()
  assert.is(link.channel.outstanding, 0)
})

test('a closed channel is no longer mapped, even while its link is referred to', async () => {
  const mapped = () =>
    readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .filter((line) => line.includes('switchyard-claims')).length
  const before = mapped()
  const links = Array.from({ length: 50 }, () => openLink().link)
  assert.ok(mapped() >= before + 50)
  for (const link of links) {
    link.started({} as never)
    link.channel.close()
  }
  await until(() => {
    collect()
    return mapped() <= before
  })
  assert.is(links.length, 50)
})

test.run()
