// The layout that TypeScript and C++ share.

import { assert, suite } from '../../../../test/suite.ts'
import { checkLayout, LayoutMismatch, primaryWords, READY_WORDS, ROW_WORDS, rowWords } from '../../src/load/shared-page.ts'
import { native } from '../../src/native-module.ts'

const test = suite('shared page')

test('the native module has the same layout', () => checkLayout(native().layout))

for (const [what, change, message] of [
  ['another number', { busySince: 3 }, 'busySince is 3, expected 4'],
  ['an extra number', { unknown: 1 }, 'unknown is 1, expected undefined'],
  ['a missing number', { turned: undefined }, 'turned is undefined, expected -1'],
] as const) {
  test(`a native module with ${what} is refused, and the error names it and the remedy`, () => {
    const found = { ...native().layout, ...change } as unknown as Record<string, number>
    assert.throws(
      () => checkLayout(found),
      (error: Error) =>
        error instanceof LayoutMismatch && error.message.includes(`(${message})`) && error.message.endsWith('npm run build'),
    )
  })
}

test('a native module without a layout is refused', () => assert.throws(() => checkLayout(undefined), /version is undefined, expected 5/))

test('no two words of the row are the same, and all are inside it', () => {
  const ready = Array.from({ length: READY_WORDS }, (_, index) => primaryWords.readySlots + index)
  const words = [...Object.values(rowWords), ...Object.values(primaryWords).filter((word) => word !== primaryWords.readySlots), ...ready]
  assert.is(new Set(words).size, words.length)
  assert.ok(words.every((word) => word >= 0 && word < ROW_WORDS))
})

test.run()
