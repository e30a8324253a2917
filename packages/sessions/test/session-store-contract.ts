// What every session store promises, wherever it keeps sessions. A suite of an implementation calls it with a way to open two stores of two workers.

import { randomBytes } from 'node:crypto'
import { assert, type suite } from '../../../test/suite.ts'
import { until } from '../../../test/support/until.ts'
import type { Found, SessionStore, Written } from '../src/session-store.ts'

/** Two workers' ends of one store; `other` may be `one` where there are no others. */
export interface ContractStores {
  readonly one: SessionStore
  readonly other: SessionStore
}

export interface ContractOptions {
  /** Opens them; sessions that were destroyed are ended for `contractTombstoneMs`. The contract closes them. */
  readonly open: () => Promise<ContractStores> | ContractStores
  /** Can one hear what the other changes? */
  readonly hears: boolean
}

export const contractTombstoneMs = 300

const LONG_MS = 60_000
const SHORT_MS = 60

/** Adds the contract to a suite. */
export function sessionStoreContract(test: ReturnType<typeof suite>, { open, hears }: ContractOptions): void {
  let one: SessionStore
  let other: SessionStore
  const heard: (string | undefined)[] = []
  let listens = false

  test.before(async () => {
    ;({ one, other } = await open())
    listens = one.onChanged((id) => heard.push(id))
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

  test('what is written is read, by others too, with its version and the rest of its time', async () => {
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
    ['none', ''],
    ['of any planes', 'a\u0000"\\\n\u2028é漢😀'],
    ['that looks like the end of a line', '\r\n$-1\r\n*0\r\n'],
    ['as large as a session may be', 'x'.repeat(65_536)],
    ['as large, and all of it escaped', '"'.repeat(65_536)],
  ]
  for (const [what, text] of texts) {
    test(`a text comes as it was written: ${what}`, async () => {
      const id = newId()
      await one.write(id, text, LONG_MS)
      assert.is(keptOf(await other.read(id)).text, text)
    })
  }

  test('to whoever shows its version it is not sent again', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, 'first', LONG_MS))
    const same = await other.read(id, version)
    assert.is(same.state, 'same')
    assert.ok('ttlMs' in same && same.ttlMs > LONG_MS / 2)
    await one.write(id, 'second', LONG_MS)
    assert.is(keptOf(await other.read(id, version)).text, 'second')
  })

  test('each write has another version, also when the session was gone in between', async () => {
    const id = newId()
    const versions = new Set<number>()
    for (let turn = 0; turn < 5; turn++) versions.add(versionOf(await one.write(id, `${turn}`, LONG_MS)))
    versions.add(versionOf(await other.write(id, 'short', SHORT_MS)))
    await until(async () => (await one.read(id)).state === 'absent')
    versions.add(versionOf(await one.write(id, 'again', LONG_MS)))
    assert.is(versions.size, 7)
  })

  test('a write that expects a version is done only if that is there; otherwise it says what is', async () => {
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

  test('a write that expects nothing is done only if nothing is there', async () => {
    const id = newId()
    versionOf(await one.write(id, 'first', LONG_MS, 0))
    const refused = await other.write(id, 'second', LONG_MS, 0)
    assert.is(refused.state === 'conflict' && refused.found.state, 'kept')
    const absent = await one.write(newId(), 'text', LONG_MS, 5)
    assert.equal(absent, { state: 'conflict', found: { state: 'absent' } })
  })

  test('of many that expect the same, one writes', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, '0', LONG_MS))
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, turn) => (turn % 2 === 0 ? one : other).write(id, `${turn}`, LONG_MS, version)),
    )
    assert.is(all.filter(({ state }) => state === 'written').length, 1)
  })

  test('commands of one store that are sent together are done in order', async () => {
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

  test('what nobody touches is gone when its time is over', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, 'text', SHORT_MS))
    await until(async () => (await other.read(id)).state === 'absent')
    assert.equal(await one.read(id, version), { state: 'absent' })
    assert.is(await one.touch(id, LONG_MS), false)
    assert.equal(await one.write(id, 'late', LONG_MS, version), { state: 'conflict', found: { state: 'absent' } })
  })

  test('a touch gives it time, and changes nothing else', async () => {
    const id = newId()
    const version = versionOf(await one.write(id, 'text', LONG_MS))
    assert.is(await other.touch(id, 10 * LONG_MS), true)
    const found = keptOf(await one.read(id))
    assert.equal({ version: found.version, text: found.text }, { version, text: 'text' })
    assert.ok(found.ttlMs > 9 * LONG_MS, `${found.ttlMs}`)
    assert.is(await one.touch(id, SHORT_MS), true)
    await until(async () => (await one.read(id)).state === 'absent')
  })

  test('what was destroyed is ended: it is not there, and nothing can be written there', async () => {
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

  test('to destroy what is not there ends it all the same', async () => {
    const id = newId()
    assert.is(await one.destroy(id), false)
    assert.equal(await other.write(id, 'late', LONG_MS), { state: 'ended' })
  })

  test('after a while an id that was ended is as good as new', async () => {
    const id = newId()
    await one.write(id, 'text', LONG_MS)
    await one.destroy(id)
    await until(async () => (await other.read(id)).state === 'absent')
    versionOf(await one.write(id, 'new', LONG_MS, 0))
    assert.is(keptOf(await other.read(id)).text, 'new')
  })

  test('to destroy a version does nothing when there is another', async () => {
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

  test('ids are those that are kept, and not more than were asked for', async () => {
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

  test('many at a time, read and written by both', async () => {
    const ids = Array.from({ length: 1500 }, newId)
    const text = 'x'.repeat(700)
    await Promise.all(ids.map((id, index) => (index % 2 === 0 ? one : other).write(id, text + id, LONG_MS)))
    const found = await Promise.all(ids.map((id, index) => (index % 2 === 0 ? other : one).read(id)))
    for (const [index, each] of found.entries()) assert.is(keptOf(each).text, text + ids[index])
  })

  test('large ones at a time', async () => {
    const ids = Array.from({ length: 40 }, newId)
    const text = '"'.repeat(60_000)
    await Promise.all(ids.map((id) => one.write(id, text + id, LONG_MS)))
    const found = await Promise.all(ids.map((id) => other.read(id)))
    for (const [index, each] of found.entries()) assert.is(keptOf(each).text, text + ids[index])
  })

  if (hears) {
    /** Resolves when it is heard that `id` may have changed. */
    const untilHeard = async (id: string): Promise<void> => {
      await until(() => heard.includes(id) || heard.includes(undefined), 5_000, 'the news of a change')
      heard.length = 0
    }

    test('it says that it hears', () => assert.is(listens, true))

    test('what was read and then changed by another is heard of', async () => {
      const id = newId()
      await other.write(id, 'first', LONG_MS)
      await one.read(id)
      heard.length = 0
      await other.write(id, 'second', LONG_MS)
      await untilHeard(id)
      await one.read(id)
      await other.destroy(id)
      await untilHeard(id)
    })

    test('so is what was written here', async () => {
      const id = newId()
      for (let turn = 0; turn < 2; turn++) {
        const version = versionOf(await one.write(id, 'first', LONG_MS))
        heard.length = 0
        await other.write(id, 'second', LONG_MS, version)
        await untilHeard(id)
      }
    })

    test('so is what was found where another version was expected', async () => {
      const id = newId()
      await other.write(id, 'first', LONG_MS)
      await one.write(id, 'late', LONG_MS, 0)
      heard.length = 0
      await other.write(id, 'second', LONG_MS)
      await untilHeard(id)
    })

    test('so is what was read with its version', async () => {
      const id = newId()
      const version = versionOf(await other.write(id, 'first', LONG_MS))
      await one.read(id, version)
      heard.length = 0
      await other.write(id, 'second', LONG_MS)
      await untilHeard(id)
    })

    test('what it writes itself it does not hear of', async () => {
      const id = newId()
      await one.write(id, 'first', LONG_MS)
      await one.read(id)
      heard.length = 0
      await one.write(id, 'second', LONG_MS)
      await one.read(id)
      await other.write(id, 'third', LONG_MS)
      await until(() => heard.length > 0, 5_000, 'the news of a change')
      assert.equal(heard.splice(0), [id])
    })
  } else {
    test('it does not claim to hear of others', () => assert.is(listens && other !== one, false))
  }

  test('its status counts commands', async () => {
    const before = one.status()
    await one.read(newId())
    const { state, commands, failed } = one.status()
    assert.equal({ state, failed }, { state: 'up', failed: before.failed })
    assert.is(commands, before.commands + 1)
  })

  test('to clear forgets everything, also what was ended', async () => {
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
  if (written.state !== 'written') throw new Error(`expected that it is written: ${JSON.stringify(written)}`)
  return written.version
}

function keptOf(found: Found): Extract<Found, { state: 'kept' }> {
  if (found.state !== 'kept') throw new Error(`expected that it is kept: ${JSON.stringify(found)}`)
  return found
}
