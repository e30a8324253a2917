import { assert, suite } from '../../../../test/suite.ts'
import { keepsConnections, writeKeptLimit } from '../../src/load/kept-limit.ts'
import { ReadySlots, writeReadySlots } from '../../src/load/ready-slots.ts'
import { rowWords } from '../../src/native/native-load-row.ts'

const test = suite('most kept')

test('a worker keeps all its connections, or as many as it was told, and seats are another matter', () => {
  const words = new Int32Array(32)
  words[rowWords.connections] = 1000
  assert.is(keepsConnections(words), true)
  writeKeptLimit(words, 0)
  writeReadySlots(words, [0, 383])
  words[rowWords.connections] = 1
  assert.is(keepsConnections(words), false)
  words[rowWords.connections] = 0
  assert.is(keepsConnections(words), false, 'nor the next that comes')
  writeKeptLimit(words, 3)
  words[rowWords.connections] = 3
  assert.is(keepsConnections(words), true)
  words[rowWords.connections] = 4
  assert.is(keepsConnections(words), false)
  writeKeptLimit(words, undefined)
  assert.is(keepsConnections(words), true)
  const { list } = new ReadySlots(words, [])
  assert.equal(
    list.map(({ slot }) => slot),
    [0, 383],
  )
})

test.run()
