import { assert, suite } from '../../../test/suite.ts'
import { keepsConnections, tellMostKept } from '../src/most-kept.ts'
import { rowWords } from '../src/native-load-row.ts'
import { ToldSeats, tellSeats } from '../src/seats.ts'

const test = suite('most kept')

test('a worker keeps its connections as long as there are not more than it was told, and seats are another matter', () => {
  const words = new Int32Array(32)
  words[rowWords.connections] = 1
  assert.is(keepsConnections(words), false)
  tellSeats(words, [0, 383])
  assert.is(keepsConnections(words), false)
  tellMostKept(words, 3)
  words[rowWords.connections] = 3
  assert.is(keepsConnections(words), true)
  words[rowWords.connections] = 4
  assert.is(keepsConnections(words), false)
  const { list } = new ToldSeats(words, [])
  assert.equal(
    list.map(({ slot }) => slot),
    [0, 383],
  )
})

test.run()
