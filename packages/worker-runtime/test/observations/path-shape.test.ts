// Shapes of paths: short patterns that say nothing that a client could make up.

import { assert, suite } from '../../../../test/suite.ts'
import { pathShape, siblingsOf } from '../../src/observations/path-shape.ts'

const test = suite('path shape')

const table: readonly (readonly [url: string, shape: string])[] = [
  ['/', '/'],
  ['/report', '/report'],
  ['/reports/1?ms=300', '/reports/:id'],
  ['/users/17/orders/2024-01-02', '/users/:id/orders/:id2'],
  ['/api/v2/items', '/api/v2/items'],
  ['/a//b/', '/a/b'],
  ['/files/report.pdf', '/files/report.pdf'],
  ['/files/%2e%2e', '/files/:id'],
  ['/files/..', '/files/:id'],
  ['/t/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9', '/t/:id'],
  ["/x'\u001b[31m", '/:id'],
  ['/a/b/c/d/e/f/g', '/a/b/c/d/e/*'],
  ['http://other.example/a', '/*'],
  ['*', '/*'],
]

for (const [url, shape] of table) test(`${JSON.stringify(url)} is ${shape}`, () => assert.is(pathShape(url), shape))

test('siblings share a parent, but not the root', () => {
  assert.is(siblingsOf('/reports/:id'), '/reports/*')
  assert.is(siblingsOf('/reports'), undefined)
  assert.is(siblingsOf('/'), undefined)
})

test.run()
