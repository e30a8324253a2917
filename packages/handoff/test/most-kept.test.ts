import { assert, suite } from '../../../test/suite.ts'
import { keepsConnections, tellMostKept } from '../src/load/kept-limit.ts'
import { rowWords } from '../src/native/native-load-row.ts'
import { ToldSeats, tellSeats } from '../src/load/ready-slots.ts'

const test = suite('most kept')

test('a worker keeps all its connections, or as many as it was told, and seats are another matter', () => {
  const words = new Int32Array(32)
  words[rowWords.connections] = 1000
  assert.is(keepsConnections(words), true)
  tellMostKept(words, 0)
  tellSeats(words, [0, 383])
  words[rowWords.connections] = 1
  assert.is(keepsConnections(words), false)
  words[rowWords.connections] = 0
  assert.is(keepsConnections(words), false, 'nor the next that comes')
  tellMostKept(words, 3)
  words[rowWords.connections] = 3
  assert.is(keepsConnections(words), true)
  words[rowWords.connections] = 4
  assert.is(keepsConnections(words), false)
  tellMostKept(words, undefined)
  assert.is(keepsConnections(words), true)
  const { list } = new ToldSeats(words, [])
  assert.equal(
    list.map(({ slot }) => slot),
    [0, 383],
  )
})

test.run()
