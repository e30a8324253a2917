// Tests the check that every descriptor has one owner.

import { assert, suite } from '../../../test/suite.ts'
import { checkCounts, newOwners, Owners } from '../src/owners.ts'

const test = suite('owners')

test('a descriptor moves from owner to owner, and its number may be reused when it is closed', () => {
  const owners = new Owners()
  for (let life = 0; life < 2; life++) {
    owners.move(7, 'none', 'dispatcher')
    owners.move(7, 'dispatcher', 'queue')
    owners.move(7, 'queue', 'dispatcher')
    owners.move(7, 'dispatcher', 'channel')
    owners.move(7, 'channel', 'none')
  }
})

test('a descriptor that was handed off cannot be handed off, closed or refused by its former owner', () => {
  const owners = new Owners()
  owners.move(7, 'none', 'dispatcher')
  owners.move(8, 'none', 'dispatcher')
  owners.move(7, 'dispatcher', 'channel')
  assert.throws(() => owners.move(7, 'dispatcher', 'channel'), 'descriptor 7 goes from dispatcher to channel, but its owner is channel')
  assert.throws(() => owners.move(7, 'dispatcher', 'none'), 'its owner is channel')
  assert.throws(() => owners.move(7, 'none', 'dispatcher'), 'its owner is channel')
  owners.move(7, 'channel', 'none')
  assert.throws(() => owners.move(7, 'channel', 'none'), 'its owner is none')
  owners.move(8, 'dispatcher', 'queue')
})

test('a failed move changes nothing', () => {
  const owners = new Owners()
  owners.move(7, 'none', 'resting')
  assert.throws(() => owners.move(7, 'head', 'dispatcher'), 'its owner is resting')
  owners.move(7, 'resting', 'dispatcher')
})

test('as many hand-offs must be under way as are held, and all others must have ended', () => {
  checkCounts(0, 0, 0, 0)
  checkCounts(2, 2, 7, 5)
  // One was released and still counts as under way; one was taken back and still counts as handed off.
  assert.throws(() => checkCounts(2, 1, 7, 5), '2 hand-offs count as under way, 1 are')
  assert.throws(() => checkCounts(2, 2, 8, 5), '8 count as handed off, 5 of them have ended')
})

test('nothing is checked unless SWITCHYARD_CHECKS is 1', () => {
  const before = process.env.SWITCHYARD_CHECKS
  try {
    for (const [value, isChecked] of [
      ['1', true],
      ['0', false],
      ['', false],
    ] as const) {
      process.env.SWITCHYARD_CHECKS = value
      assert.is(newOwners() instanceof Owners, isChecked, value)
    }
    delete process.env.SWITCHYARD_CHECKS
    assert.is(newOwners(), undefined)
  } finally {
    if (before === undefined) delete process.env.SWITCHYARD_CHECKS
    else process.env.SWITCHYARD_CHECKS = before
  }
})

test.run()
