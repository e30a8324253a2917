// The contract of session stores. The test suite of each implementation runs it with a function that opens the stores of two workers.

import { randomBytes } from 'node:crypto'
import { assert, type suite } from '../../../test/suite.ts'
import { until } from '../../../test/support/until.ts'
import type { Found, SessionStore, Written } from '../src/session-store.ts'

/** The stores of two workers on the same sessions. `other` is `one` if an implementation has a single process. */
export interface ContractStores {
  readonly one: SessionStore
  readonly other: SessionStore
}

export interface ContractOptions {
  /** Opens the stores with tombstones of `contractTombstoneMs`. The contract closes them. */
  readonly open: () => Promise<ContractStores> | ContractStores
  /** Does a store report the changes of the other one? */
  readonly reports: boolean
}

export const contractTombstoneMs = 300

const LONG_MS = 60_000
const SHORT_MS = 60

/** Adds the contract to a suite. */
export function sessionStoreContract(test: ReturnType<typeof suite>, { open, reports }: ContractOptions): void {
  let one: SessionStore
  let other: SessionStore
  const reported: (string | undefined)[] = []
  let isListening = false

  test.before(async () => {
    ;({ one, other } = await open())
    isListening = one.onChanged((id) => reported.push(id))
  })
  test.after(async () => {
    await one.close()
    if (other !== one) await other.close()
  })

  test('an id that was never written is absent', async () => {
    const id = newId()
    assert.equal(await one.read(id), { state: 'absent' })
    assert.equal(await one.read(id, 7), { state: 'absent' })
    assert.is(await one.touch(id, LONG_MS), false)
  })

  test('a written session is read by both, with its version and its remaining time', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, 'text', LONG_MS))
    assert.ok(Number.isSafeInteger(version) && version > 0, `${version}`)
    for (const store of [one, other]) {
      const found = keptOf(await store.read(id))
      assert.equal({ version: found.version, text: found.text }, { version, text: 'text' })
      assert.ok(found.ttlMs > LONG_MS / 2 && found.ttlMs <= LONG_MS, `${found.ttlMs}`)
    }
  })

  const texts: [string, string][] = [
    ['empty', ''],
    ['any characters', 'a\u0000"\\\n\u2028é漢😀'],
    ['Redis protocol', '\r\n$-1\r\n*0\r\n'],
    ['the largest size', 'x'.repeat(65_536)],
    ['the largest size, all escaped', '"'.repeat(65_536)],
  ]
  for (const [what, text] of texts) {
    test(`a text is read as it was written: ${what}`, async () => {
      const id = newId()
      await one.write(id, text, LONG_MS)
      assert.is(keptOf(await other.read(id)).text, text)
    })
  }

  test('a read with the current version does not send the text again', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, 'first', LONG_MS))
    const same = await other.read(id, version)
    assert.is(same.state, 'same')
    assert.ok('ttlMs' in same && same.ttlMs > LONG_MS / 2)
    await one.write(id, 'second', LONG_MS)
    assert.is(keptOf(await other.read(id, version)).text, 'second')
  })

  test('each write has a different version, also after the session expired in between', async () => {
    const id = newId()
    const versions = new Set<number>()
    for (let turn = 0; turn < 5; turn++) versions.add(versionOf(await one.write(id, `${turn}`, LONG_MS)))
    versions.add(versionOf(await other.write(id, 'short', SHORT_MS)))
    await until(async () => (await one.read(id)).state === 'absent')
    versions.add(versionOf(await one.write(id, 'again', LONG_MS)))
    assert.is(versions.size, 7)
  })

  test('a write with an expected version happens only over that version, and otherwise returns the current session', async () => {
    const id = newId()
    const first = versionOf(await one.write(id, 'first', LONG_MS))
    const second = versionOf(await other.write(id, 'second', LONG_MS, first))
    const refused = await one.write(id, 'third', LONG_MS, first)
    assert.is(refused.state, 'conflict')
    const found = keptOf((refused as Extract<Written, { state: 'conflict' }>).found)
    assert.equal({ version: found.version, text: found.text }, { version: second, text: 'second' })
    assert.ok(found.ttlMs > LONG_MS / 2)
    assert.is(keptOf(await one.read(id)).text, 'second')
  })

  test('a write that expects no session happens only if there is none', async () => {
    const id = newId()
    versionOf(await one.write(id, 'first', LONG_MS, 0))
    const refused = await other.write(id, 'second', LONG_MS, 0)
    assert.is(refused.state === 'conflict' && refused.found.state, 'kept')
    const absent = await one.write(newId(), 'text', LONG_MS, 5)
    assert.equal(absent, { state: 'conflict', found: { state: 'absent' } })
  })

  test('of many writes that expect the same version, one succeeds', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, '0', LONG_MS))
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, turn) => (turn % 2 === 0 ? one : other).write(id, `${turn}`, LONG_MS, version)),
    )
    assert.is(all.filter(({ state }) => state === 'written').length, 1)
  })

  test('commands of one store that are sent together run in order', async () => {
    const id = newId()
    const [written, found, touched, , , gone] = await Promise.all([
      one.write(id, 'first', LONG_MS),
      one.read(id),
      one.touch(id, LONG_MS),
      one.write(id, 'second', LONG_MS),
      one.destroy(id),
      one.read(id),
    ])
    assert.equal([written.state, keptOf(found).text, touched, gone.state], ['written', 'first', true, 'ended'])
  })

  test('a session that is not touched expires', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, 'text', SHORT_MS))
    await until(async () => (await other.read(id)).state === 'absent')
    assert.equal(await one.read(id, version), { state: 'absent' })
    assert.is(await one.touch(id, LONG_MS), false)
    assert.equal(await one.write(id, 'late', LONG_MS, version), { state: 'conflict', found: { state: 'absent' } })
  })

  test('a touch extends the session, and changes nothing else', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, 'text', LONG_MS))
    assert.is(await other.touch(id, 10 * LONG_MS), true)
    const found = keptOf(await one.read(id))
    assert.equal({ version: found.version, text: found.text }, { version, text: 'text' })
    assert.ok(found.ttlMs > 9 * LONG_MS, `${found.ttlMs}`)
    assert.is(await one.touch(id, SHORT_MS), true)
    await until(async () => (await one.read(id)).state === 'absent')
  })

  test('a destroyed session is ended: it can be neither read nor written', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, 'text', LONG_MS))
    assert.is(await one.destroy(id), true)
    for (const store of [one, other]) {
      assert.equal(await store.read(id), { state: 'ended' })
      assert.equal(await store.read(id, version), { state: 'ended' })
      assert.is(await store.touch(id, LONG_MS), false)
      assert.equal(await store.write(id, 'late', LONG_MS), { state: 'ended' })
      assert.equal(await store.write(id, 'late', LONG_MS, 0), { state: 'ended' })
      assert.equal(await store.write(id, 'late', LONG_MS, version), { state: 'ended' })
      assert.is(await store.destroy(id), false)
    }
    assert.ok(!(await one.ids(10_000)).includes(id))
  })

  test('destroying an absent session makes a tombstone too', async () => {
    const id = newId()
    assert.is(await one.destroy(id), false)
    assert.equal(await other.write(id, 'late', LONG_MS), { state: 'ended' })
  })

  test('after tombstoneMs the id can be used again', async () => {
    const id = newId()
    await one.write(id, 'text', LONG_MS)
    await one.destroy(id)
    await until(async () => (await other.read(id)).state === 'absent')
    versionOf(await one.write(id, 'new', LONG_MS, 0))
    assert.is(keptOf(await other.read(id)).text, 'new')
  })

  test('destroy with an expected version does nothing if the version is another', async () => {
    const id = newId()
    const first = versionOf(await one.write(id, 'first', LONG_MS))
    const second = versionOf(await one.write(id, 'second', LONG_MS))
    assert.is(await other.destroy(id, first), 'conflict')
    assert.is(keptOf(await one.read(id)).text, 'second')
    assert.is(await other.destroy(id, second), true)
    assert.equal(await one.read(id), { state: 'ended' })
    const absent = newId()
    assert.is(await one.destroy(absent, 3), false)
    assert.equal(await one.read(absent), { state: 'ended' })
  })

  test('ids lists the sessions that are kept, up to the limit', async () => {
    const ids = Array.from({ length: 5 }, newId)
    for (const id of ids) await one.write(id, 'text', LONG_MS)
    await one.destroy(ids[0] as string)
    const all = await other.ids(100_000)
    assert.is(new Set(all).size, all.length)
    assert.equal(
      ids.map((id) => all.includes(id)),
      [false, true, true, true, true],
    )
    assert.is((await other.ids(2)).length, 2)
  })

  test('many sessions at a time, read and written by both', async () => {
    const ids = Array.from({ length: 1500 }, newId)
    const text = 'x'.repeat(700)
    await Promise.all(ids.map((id, index) => (index % 2 === 0 ? one : other).write(id, text + id, LONG_MS)))
    const found = await Promise.all(ids.map((id, index) => (index % 2 === 0 ? other : one).read(id)))
    for (const [index, each] of found.entries()) assert.is(keptOf(each).text, text + ids[index])
  })

  test('many large sessions at a time', async () => {
    const ids = Array.from({ length: 40 }, newId)
    const text = '"'.repeat(60_000)
    await Promise.all(ids.map((id) => one.write(id, text + id, LONG_MS)))
    const found = await Promise.all(ids.map((id) => other.read(id)))
    for (const [index, each] of found.entries()) assert.is(keptOf(each).text, text + ids[index])
  })

  if (reports) {
    /** Resolves when a change of `id`, or of any session, is reported. */
    const untilReported = async (id: string): Promise<void> => {
      await until(() => reported.includes(id) || reported.includes(undefined), 5_000, 'the report of a change')
      reported.length = 0
    }

    test('onChanged returns true', () => assert.is(isListening, true))

    test('a change of a session that was read here is reported', async () => {
      const id = newId()
      await other.write(id, 'first', LONG_MS)
      await one.read(id)
      reported.length = 0
      await other.write(id, 'second', LONG_MS)
      await untilReported(id)
      await one.read(id)
      await other.destroy(id)
      await untilReported(id)
    })

    test('a change of a session that was written here is reported', async () => {
      const id = newId()
      for (let turn = 0; turn < 2; turn++) {
        const version = versionOf(await one.write(id, 'first', LONG_MS))
        reported.length = 0
        await other.write(id, 'second', LONG_MS, version)
        await untilReported(id)
      }
    })

    test('a change of a session that a conflict returned is reported', async () => {
      const id = newId()
      await other.write(id, 'first', LONG_MS)
      await one.write(id, 'late', LONG_MS, 0)
      reported.length = 0
      await other.write(id, 'second', LONG_MS)
      await untilReported(id)
    })

    test('a change of a session that was read with its version is reported', async () => {
      const id = newId()
      const version = versionOf(await other.write(id, 'first', LONG_MS))
      await one.read(id, version)
      reported.length = 0
      await other.write(id, 'second', LONG_MS)
      await untilReported(id)
    })

    test('own writes are not reported', async () => {
      const id = newId()
      await one.write(id, 'first', LONG_MS)
      await one.read(id)
      reported.length = 0
      await one.write(id, 'second', LONG_MS)
      await one.read(id)
      await other.write(id, 'third', LONG_MS)
      await until(() => reported.length > 0, 5_000, 'the report of a change')
      assert.equal(reported.splice(0), [id])
    })
  } else {
    test('onChanged returns false if there is another process', () => assert.is(isListening && other !== one, false))
  }

  test('status counts commands', async () => {
    const before = one.status()
    await one.read(newId())
    const { state, commands, failed } = one.status()
    assert.equal({ state, failed }, { state: 'up', failed: before.failed })
    assert.is(commands, before.commands + 1)
  })

  test('clear removes all sessions and tombstones', async () => {
    const [id, ended] = [newId(), newId()]
    await one.write(id, 'text', LONG_MS)
    await other.read(id)
    await one.destroy(ended)
    await other.clear()
    assert.equal(await one.ids(10), [])
    assert.equal(await one.read(id), { state: 'absent' })
    versionOf(await one.write(ended, 'text', LONG_MS, 0))
  })
}

function newId(): string {
  return randomBytes(16).toString('base64url')
}

function versionOf(written: Written): number {
  if (written.state !== 'written') throw new Error(`expected a written session: ${JSON.stringify(written)}`)
  return written.version
}

function keptOf(found: Found): Extract<Found, { state: 'kept' }> {
  if (found.state !== 'kept') throw new Error(`expected a kept session: ${JSON.stringify(found)}`)
  return found
}
