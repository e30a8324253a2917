// Holds sources and docs to the words of test/word-rules.ts, and the check itself to breaches planted here.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, suite } from './suite.ts'
import { type Text, wordBreaches } from './word-rules.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const test = suite('words')

function textsBelow(folder: string, pattern: RegExp, path = join(root, folder)): Text[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const below = join(path, entry.name)
    if (entry.isDirectory()) return /^(node_modules|dist|build|test|soak)$/.test(entry.name) ? [] : textsBelow(folder, pattern, below)
    return pattern.test(entry.name) ? [{ file: relative(root, below).split(sep).join('/'), text: readFileSync(below, 'utf8') }] : []
  })
}

const SOURCE = /\.([cm]?[jt]s|cc|h)$/
const PAGE = /\.md$/

function allTexts(): Text[] {
  const packages = readdirSync(join(root, 'packages')).filter((name) => name !== 'examples')
  const folders = packages.flatMap((name) => [`packages/${name}/src`, ...(name === 'handoff' ? [`packages/${name}/native`] : [])])
  const sources = [...folders, 'bench/src', 'scripts'].flatMap((folder) => textsBelow(folder, SOURCE))
  const pages = ['docs', 'bench', 'packages'].flatMap((folder) => textsBelow(folder, PAGE))
  const top = ['README.md', 'CONTRIBUTING.md'].map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))
  return [...sources, ...pages, ...top]
}

test('sources and docs keep to the words', () => {
  const texts = allTexts()
  for (const part of ['packages/routing/src/', 'packages/balancer/src/', 'bench/src/', 'scripts/', 'docs/', 'packages/examples/']) {
    assert.ok(
      texts.some(({ file }) => file.startsWith(part)),
      `nothing of ${part} was read`,
    )
  }
  const found = wordBreaches(texts)
  assert.is(found.length, 0, `${found.length} breaches:\n${found.join('\n')}`)
})

const source = 'packages/balancer/src/dispatch/a.ts'
const page = 'docs/a.md'

const planted: readonly [title: string, file: string, text: string, breach: RegExp][] = [
  ['who at the beginning of a comment', source, '// Who asks first gets it.', /:1: 'Who' is no subject/],
  ['whoever', source, 'f()\n/** Whoever opens it closes it. */', /:2: 'Whoever' is no subject/],
  ['a later sentence', source, '// It is queued. Nobody is free.', /'Nobody' is no subject/],
  ['a sentence that begins on the next line', source, '// It is queued.\n// Somebody will take it.', /:1: 'Somebody' is no subject/],
  ['a clause after a colon', source, '// Undefined: nobody listens.', /'nobody' is no subject/],
  ['a clause after a comma', source, '// When it ends, nobody is told.', /'nobody' is no subject/],
  ['a clause after a conjunction', source, '// Waits while nobody is free.', /'nobody' is no subject/],
  ['a clause in brackets', source, '// The queue is empty (nobody waits).', /'nobody' is no subject/],
  ['a comment over several lines', source, '/**\n * Calls back.\n * Who asks twice waits.\n */', /:1: 'Who' is no subject/],
  ['a comment behind code', source, "const url = 'http://a' // who asks", /'who' is no subject/],
  ['a comment in C++', 'packages/handoff/native/a.cc', '  // Nobody holds it.', /'Nobody' is no subject/],
  ['a paragraph of a page', page, 'One.\n\nText that\nends. Whoever reads it knows.', /:3: 'Whoever' is no subject/],
  ['a list item', page, '- one\n- **Nobody** reads it', /:2: 'Nobody' is no subject/],
  ['a table cell', page, '| a | b |\n| --- | --- |\n| `x` | who is free |', /:3: 'who' is no subject/],
  ['a word in a comment', source, '// The door opens.', /'door' is not used, say acceptor/],
  ['its plural', source, '// Two neighbours meet.', /'neighbour' is not used/],
  ['a name', source, 'const seats = 3', /'seat' is not used, say slot/],
  ['a part of a name', source, 'class OldHeirloomDesk {}', /'heirloom' is not used/],
  ['a constant', source, 'const MAX_SEAT_COUNT = 1', /'seat' is not used/],
  ['a log text', source, 'log(`a door opens`)', /'door' is not used/],
  ['a file name', 'packages/routing/src/string-utils.ts', '', /'utils' is not used/],
  ['an instance that is a worker', source, '// Starts an instance.', /'instance' is not used, say worker/],
  ['Redis words elsewhere', source, 'const master = 1', /'master' is not used, say primary/],
  ['a wire string elsewhere', source, "send('heirloom')", /'heirloom' is not used/],
]

for (const [title, file, text, breach] of planted) {
  test(`catches ${title}`, () => {
    const found = wordBreaches([{ file, text }])
    assert.ok(
      found.some((line) => breach.test(line)),
      `found: ${found.join('\n')}`,
    )
  })
}

const allowed: readonly [title: string, file: string, text: string][] = [
  ['a relative clause', source, '// A visitor who has a ticket, or the one, who has none, reaches a worker that knows who it is.'],
  ['the word in code', source, "const who = nobody ? '// who' : `\n// Nobody`"],
  ['code on a page', page, '```\n// Who asks\n```\n`nobody` is a user.'],
  ['a service manager', source, '// Reports to the service manager.\nnew ServiceManager()'],
  ['instanceof and PM2', source, '// For instance NODE_APP_INSTANCE.\nif (error instanceof Error) f()'],
  ['frozen names', source, "import type { Seat } from '../events.ts'\nevents.emit('seatBroken')\nthrow new E('ERR_UNKNOWN_SEAT')"],
  ['words of Redis in its files', 'packages/sessions/src/redis-url.ts', 'readonly masterName: string'],
  ['wire strings of the upgrade', 'packages/balancer/src/upgrade/messages.ts', "{ talk: 'heirloom', heirlooms: [] }"],
  ['CommonJS', source, '// What both have in common is CommonJS.'],
]

for (const [title, file, text] of allowed) {
  test(`allows ${title}`, () => assert.equal(wordBreaches([{ file, text }]), []))
}

test.run()
