import { assert, suite } from '../../../../test/suite.ts'
import { keepsConnections, writeKeptLimit } from '../../src/load/primary-words.ts'
import { ReadySlots, writeReadySlots } from '../../src/load/ready-slots.ts'
import { ROW_WORDS, rowWords } from '../../src/load/shared-page.ts'

const test = suite('primary words')

test('a worker keeps all its connections, or as many as the kept limit says, whatever slots are ready', () => {
  const words = new Int32Array(ROW_WORDS)
  words[rowWords.connections] = 1000
  assert.is(keepsConnections(words), true)
  writeKeptLimit(words, 0)
  writeReadySlots(words, [0, 383])
  words[rowWords.connections] = 1
  assert.is(keepsConnections(words), false)
  words[rowWords.connections] = 0
  assert.is(keepsConnections(words), false, 'without connections it does not keep the next')
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
