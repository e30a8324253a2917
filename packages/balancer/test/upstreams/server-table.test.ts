import { assert, suite } from '../../../../test/suite.ts'
import { ServerTable, type WantedServer } from '../../src/upstreams/server-table.ts'

const test = suite('upstream server table')

const wanted = (name: string, addresses?: readonly string[], weight = 1): WantedServer => ({
  server: { protocol: 'http', name, host: name, port: 80, path: undefined },
  weight,
  addresses,
})

const shown = (table: ServerTable): string[] =>
  table.targets.map(({ slot, generation, name, address }) => `${slot}.${generation} ${name}${address === undefined ? '' : `=${address}`}`)

function tableOf(...servers: readonly WantedServer[]): ServerTable {
  const table = new ServerTable()
  table.update(servers)
  return table
}

test('slots are the indexes of the list at first, and further addresses follow', () => {
  assert.equal(shown(tableOf(wanted('a'), wanted('b'), wanted('c'))), ['0.0 a', '1.0 b', '2.0 c'])
  assert.equal(shown(tableOf(wanted('a', ['1', '2', '3']), wanted('b'), wanted('c', ['4', '5']))), [
    '0.0 a=1',
    '1.0 b',
    '2.0 c=4',
    '3.0 a=2',
    '4.0 a=3',
    '5.0 c=5',
  ])
})

test('a server keeps its slot wherever it stands, and a new one takes a free slot with a new generation', () => {
  const table = tableOf(wanted('a'), wanted('b'), wanted('c'))
  table.update([wanted('c'), wanted('d'), wanted('a', undefined, 7)])
  assert.equal(shown(table), ['0.0 a', '1.1 d', '2.0 c'])
  assert.equal(
    table.targets.map(({ weight }) => weight),
    [7, 1, 1],
  )
})

test('an address that goes leaves its slot to the next one of its name', () => {
  const table = tableOf(wanted('a', ['1', '2']), wanted('b'))
  table.update([wanted('a', ['2']), wanted('b')])
  assert.equal(shown(table), ['1.0 b', '2.0 a=2'])
  assert.is(table.row(0), undefined)
  table.update([wanted('a', ['2', '3']), wanted('b')])
  assert.equal(shown(table), ['0.1 a=3', '1.0 b', '2.0 a=2'])
})

test('a name that is found gets a new generation: its connections were made by name', () => {
  const table = tableOf(wanted('a'))
  table.update([wanted('a', ['1'])])
  assert.equal(shown(table), ['0.1 a=1'])
})

test('what is out of service stays so when the address changes, and is forgotten with its server', () => {
  const table = tableOf(wanted('a', ['1']), wanted('b'))
  const row = table.row(0)
  assert.ok(row)
  row.isHeld = true
  table.update([wanted('a', ['2']), wanted('b')])
  assert.equal(
    table.targets.map(({ isHeld }) => isHeld),
    [true, false],
  )
  table.update([wanted('b')])
  table.update([wanted('a'), wanted('b')])
  assert.equal(
    table.targets.map(({ isHeld }) => isHeld),
    [false, false],
  )
})

test('a new primary takes slots and holds over, for the servers that it has', () => {
  const old = tableOf(wanted('a'), wanted('b', ['1', '2']), wanted('c'))
  const held = old.row(1)
  assert.ok(held)
  held.isHeld = true
  const table = tableOf(wanted('d'), wanted('b', ['2', '3']), wanted('c'))
  table.restore(old.all)
  assert.equal(shown(table), ['0.1 d', '1.1 b=3', '2.0 c', '3.0 b=2'])
  assert.equal(
    table.targets.map(({ isHeld }) => isHeld),
    [false, true, false, false],
  )
})

test.run()
