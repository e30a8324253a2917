// Untrusted text for a terminal: colours may stay, every other control character is escaped.

import { assert, suite } from '../../../../test/suite.ts'
import { printable, printableJson } from '../../src/cli/printable.ts'

const test = suite('printable')

for (const [what, text, shown] of [
  ['plain text, tabs and line ends', 'a\tb\nZoë € 日本\n', 'a\tb\nZoë € 日本\n'],
  ['a title', '\x1b]0;owned\x07', '\\x1b]0;owned\\x07'],
  ['a query that the terminal answers as input', '\x1b[6n\x1b[c\x05', '\\x1b[6n\\x1b[c\\x05'],
  ['a cleared screen', '\x1b[2J\x1b[H', '\\x1b[2J\\x1b[H'],
  ['a line that overwrites itself', 'error\rok   \b', 'error\\x0dok   \\x08'],
  ['a link', '\x1b]8;;http://a/\x1b\\b\x1b]8;;\x1b\\', '\\x1b]8;;http://a/\\x1b\\b\\x1b]8;;\\x1b\\'],
  ['8-bit controls', '\x9b2J\x90q\x9c\x7f', '\\x9b2J\\x90q\\x9c\\x7f'],
  ['changed text direction', 'a\u202eb\u2066c\u2028d', 'a\\u202eb\\u2066c\\u2028d'],
  ['an incomplete colour sequence', '\x1b[31\x1b[?1049h', '\\x1b[31\\x1b[?1049h'],
] as const) {
  test(`${what}: the same with colours and without`, () => {
    assert.is(printable(text), shown)
    assert.is(printable(text, true), shown)
  })
}

test('colours stay on request, and are reset at the end of the text', () => {
  const text = '\x1b[1;31mred\x1b[38:5:9m more'
  assert.is(printable(text), 'red more')
  assert.is(printable(text, true), `${text}\x1b[0m`)
  assert.is(printable('\x1b[31mred\x1b[0m\n', true), '\x1b[31mred\x1b[0m\n')
  assert.is(printable('\x1b[31mred\n', true), '\x1b[31mred\x1b[0m\n')
})

test('JSON keeps its value and has no control characters', () => {
  const value = { line: '\x1b[31m\x9b2J\x7f\u202e', list: [1, 'a\nb'] }
  for (const text of [printableJson(value), printableJson(value, 2)]) {
    assert.equal(JSON.parse(text), value)
    assert.equal(
      [...text].filter((one) => one !== '\n' && (one < ' ' || (one >= '\x7f' && one < '\xa0') || one === '\u202e')),
      [],
    )
  }
})

test.run()
