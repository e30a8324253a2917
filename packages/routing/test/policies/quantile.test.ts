import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { Quantile } from '../../src/policies/quantile.ts'

const test = suite('Quantile')

function quantileOf(values: readonly number[], share: number): number {
  const quantile = new Quantile()
  for (const value of values) quantile.add(value)
  return quantile.at(share)
}

test('is one of the numbers, rounded down', () => {
  const cases: [values: number[], share: number, at: number][] = [
    [[], 0.5, 0],
    [[7], 0, 7],
    [[7], 1, 7],
    [[2, 1], 0.75, 1],
    [[3, 1, 2], 0.5, 2],
    [[9, 1, 1, 1], 0.75, 1],
    [[4, 3, 2, 1], 0.75, 3],
    [[4, 3, 2, 1], 1, 4],
  ]
  for (const [values, share, at] of cases) assert.is(quantileOf(values, share), at, `${values} at ${share}`)
})

test('equals the result of sorting, and forgets the numbers before', () => {
  const quantile = new Quantile()
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(3), fc.double({ min: 0, max: 1e9, noNaN: true })), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        quantile.clear()
        for (const value of values) quantile.add(value)
        return quantile.at(share) === values.toSorted((one, other) => one - other)[Math.floor(share * (values.length - 1))]
      },
    ),
    { numRuns: 2000 },
  )
})

test.run()
