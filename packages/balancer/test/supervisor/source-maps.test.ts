// How a worker gets its source maps, and which maps the primary reads for the stack of a worker that hangs.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import module from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { SourcePositions, sourceMapArguments, sourceMapWay } from '../../src/supervisor/workers/source-maps.ts'

const test = suite('source maps of a worker')
const folder = mkdtempSync(join(tmpdir(), 'switchyard-maps-'))
atSuiteEnd(() => rmSync(folder, { recursive: true }))

const script = pathToFileURL(join(folder, 'dist.js')).href
/** The first position of the compiled file is line 5, column 2 of the source. */
const payload = (more: object = {}) => JSON.stringify({ version: 3, sources: ['source.ts'], names: [], mappings: 'AAKE', ...more })
const inline = (text: string) => `data:application/json;base64,${Buffer.from(text).toString('base64')}`
const find = (mapUrl: string, url = script) => new SourcePositions().find({ url, mapUrl }, 0, 0)

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return name
}

test('a map beside the script or in it gives the position in the source', async () => {
  const expected = { path: join(folder, 'source.ts'), line: 5, column: 2 }
  assert.equal(await find(file('dist.js.map', payload())), expected)
  assert.equal(await find(inline(payload())), expected)
  assert.equal(await find(`data:application/json;charset=utf-8,${encodeURIComponent(payload())}`), expected)
  assert.equal(await find(inline(payload({ sourceRoot: 'src/' }))), { ...expected, path: join(folder, 'src/source.ts') })
})

test('a map that is missing, large, broken, no file or no file URL gives none', async () => {
  const large = payload({ sourcesContent: ['x'.repeat(3 * 2 ** 20)] })
  const maps = [
    '',
    'missing.map',
    file('large.map', large),
    file('broken.map', '{'),
    '.',
    '/dev/zero',
    'http://127.0.0.1:1/x.map',
    'data:x',
  ]
  for (const map of maps) assert.is(await find(map), undefined, map)
  assert.is(await find(inline(large.repeat(2))), undefined)
  assert.is(await find(inline(payload({ sources: ['http://a/source.ts'] }))), undefined)
  assert.is(await find(inline(payload()), 'node:fs'), undefined)
})

test('the runtime turns maps on where Node can leave out those of packages, and an option of Node elsewhere', () => {
  const isNew = 'setSourceMapsSupport' in module
  const worker = { sourceMaps: true, execArgv: [], env: { NODE_OPTIONS: '' } }
  assert.is(sourceMapWay(worker), isNew ? 'runtime' : 'option')
  assert.equal(sourceMapArguments(worker), isNew ? [] : ['--enable-source-maps'])
})

test('the choice of the user stays', () => {
  const env = { NODE_OPTIONS: '' }
  assert.is(sourceMapWay({ sourceMaps: false, execArgv: [], env }), 'none')
  assert.is(sourceMapWay({ sourceMaps: true, execArgv: ['--enable-source-maps'], env }), 'none')
  assert.is(sourceMapWay({ sourceMaps: true, execArgv: [], env: { NODE_OPTIONS: '--trace-gc --no-enable-source-maps' } }), 'none')
})

test.run()
