// The host of a request head: its form, and whether all programs read the same one.

import { assert, suite } from '../../../../test/suite.ts'
import { read } from '../fixtures.ts'

const test = suite('RequestHead, host')

test('finds the host in every form of the field', () => {
  const table: [string, string | undefined][] = [
    ['EXAMPLE.com', 'example.com'],
    ['example.com:', 'example.com'],
    ['example.com.:80', 'example.com'],
    ['[::1]:80', '[::1]'],
    ['', undefined],
    ['user@host', undefined],
    ['a b', undefined],
    ['a:b', undefined],
    ['a, b', undefined],
  ]
  for (const [field, host] of table) assert.is(read(`GET / HTTP/1.1\nHost: ${field}\n\n`).host, host, field)
})

test('says whether all programs read the same host', () => {
  const table: [line: string, fields: string, certain: boolean][] = [
    ['GET /', 'Host: a', true],
    ['GET /', 'Host: A.b-c_d:80', true],
    ['GET /', 'Host: a.', true],
    ['GET /', 'Host: [::1]:80', true],
    ['GET /', "Host: a!$&'()*+;=~", true],
    ['GET /', 'X: a', true],
    ['GET /', 'Host:', false],
    ['GET /', 'Host: a/b', false],
    ['GET /', 'Host: a\\b', false],
    ['GET /', 'Host: a?b', false],
    ['GET /', 'Host: a#b', false],
    ['GET /', 'Host: u@a', false],
    ['GET /', 'Host: a b', false],
    ['GET /', 'Host: a:b', false],
    ['GET /', 'Host: a, b', false],
    ['GET /', 'Host: %61', false],
    ['GET /', 'Host: \xaa', false],
    ['GET http://a/', 'Host: a', true],
    ['GET http://a', 'Host: a', true],
    ['GET HTTP://A:80/', 'Host: a:80', true],
    ['GET http://b/', 'Host: a', false],
    ['GET http://a/', 'X: a', false],
    ['GET http://u@a/', 'Host: a', false],
    ['GET http:///', 'Host: a', false],
    ['GET http://a?b/c', 'Host: a', false],
    ['OPTIONS *', 'Host: a', true],
    ['CONNECT a:1', 'Host: a:1', true],
  ]
  for (const [line, fields, certain] of table) assert.is(read(`${line} HTTP/1.1\n${fields}\n\n`).namesOneHost, certain, `${line} ${fields}`)
})

test.run()
