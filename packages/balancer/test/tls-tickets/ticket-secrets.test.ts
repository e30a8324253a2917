// The secrets of ticket keys: rotation loses no ticket of the last two keys, a new primary continues with them, and no pool knows those of another.

import { randomBytes } from 'node:crypto'
import { assert, suite } from '../../../../test/suite.ts'
import { TicketSecrets } from '../../src/tls-tickets/ticket-secrets.ts'

const test = suite('secrets of TLS tickets')
const HOUR = 3_600_000

const numbersOf = (secrets: TicketSecrets): number[] => secrets.startFor('web').keys.map(({ number }) => number)
const secretOf = (secrets: TicketSecrets, number: number): string | undefined =>
  secrets.startFor('web').keys.find((key) => key.number === number)?.secret

test('the key that is used next is known before, and the last one after', () => {
  const secrets = new TicketSecrets()
  assert.equal([numbersOf(secrets), secrets.startFor('web').issuing], [[1, 0], 0])
  const next = secretOf(secrets, 1)
  secrets.rotate(HOUR)
  assert.equal([numbersOf(secrets), secrets.startFor('web').issuing], [[2, 1, 0], 1])
  assert.is(secretOf(secrets, 1), next)
  secrets.rotate(2 * HOUR)
  assert.equal([numbersOf(secrets), secrets.startFor('web').issuing], [[3, 2, 1], 2])
  assert.is(secretOf(secrets, 1), next)
  const all = secrets.startFor('web').keys.map(({ secret }) => secret)
  assert.is(new Set(all).size, 3)
})

test('numbers of keys start again at 0 before they no longer fit', () => {
  const secrets = new TicketSecrets()
  for (let count = 0; count < 65_540; count++) secrets.rotate(count)
  for (const number of numbersOf(secrets)) assert.ok(number >= 0 && number < 65_535)
  assert.is(new Set(numbersOf(secrets)).size, 3)
})

test('pools have nothing in common', () => {
  const secrets = new TicketSecrets()
  const [web, admin] = [secrets.startFor('web'), secrets.startFor('admin')]
  assert.is.not(web.names, admin.names)
  for (const [index, { secret }] of web.keys.entries()) assert.is.not(secret, admin.keys[index]?.secret)
  const name = secrets.namesOf('web').write({ key: 0, slot: 1 }, randomBytes(7))
  assert.equal(secrets.namesOf('web').read(name), { key: 0, slot: 1, isReusable: false })
  assert.is(secrets.namesOf('admin').read(name), undefined)
})

test('two balancers have nothing in common, and a new primary continues with the same', () => {
  const secrets = new TicketSecrets(undefined, 5 * HOUR)
  secrets.rotate(5 * HOUR)
  assert.is.not(new TicketSecrets().startFor('web').names, secrets.startFor('web').names)
  const next = new TicketSecrets(JSON.parse(JSON.stringify(secrets.handedOver)))
  assert.equal(next.startFor('web'), secrets.startFor('web'))
  assert.equal(next.handedOver, secrets.handedOver)
  // The age of the keys counts, not that of the primary.
  assert.is(next.untilRotation(6 * HOUR, 12 * HOUR), 11 * HOUR)
  assert.is(next.untilRotation(99 * HOUR, 12 * HOUR), 1)
  // The clock was set back.
  assert.is(next.untilRotation(0, 12 * HOUR), 12 * HOUR)
})

test.run()
