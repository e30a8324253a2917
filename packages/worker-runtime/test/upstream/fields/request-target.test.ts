import { assert, suite } from '../../../../../test/suite.ts'
import { upstreamTarget } from '../../../src/upstream/fields/request-target.ts'

const test = suite('targets of upstream requests')
const none = { strip: undefined, add: undefined }
const targetOf = (url: string, prefixes: { strip?: string; add?: string } = {}) =>
  upstreamTarget('GET', url, { ...none, ...prefixes })?.target

test('a target in origin form stays as it is', () => {
  for (const url of ['/', '/a//b', '//a', '/a?b=/../c', '/a%2fb', '/a;b', '/a/../b', '/caf%C3%A9']) assert.is(targetOf(url), url)
})

test('an absolute target becomes one in origin form, and its authority is the Host', () => {
  assert.equal(upstreamTarget('GET', 'http://site.test:80/a?b', none), { target: '/a?b', authority: 'site.test:80' })
  assert.equal(upstreamTarget('GET', 'HTTPS://site.test', none), { target: '/', authority: 'site.test' })
  assert.is(targetOf('http://site.test?q'), '/?q')
})

test('prefixes are removed and added at whole segments', () => {
  assert.is(targetOf('/api/users', { strip: '/api' }), '/users')
  assert.is(targetOf('/api', { strip: '/api' }), '/')
  assert.is(targetOf('/api?x', { strip: '/api' }), '/?x')
  assert.is(targetOf('/apis/users', { strip: '/api' }), '/apis/users')
  assert.is(targetOf('/users', { add: '/v1' }), '/v1/users')
  assert.is(targetOf('/api/users', { strip: '/api', add: '/v1' }), '/v1/users')
})

test('no target leads out of the prefix or above the root', () => {
  const bad = ['/..', '/../a', '/a/../../b', '/%2e%2e/a', '/.%2E/a', '/..%2fa', '/..\\a', '/..;x/a', '/./../a', '/a%5c..%5c..%5cb']
  for (const url of bad) assert.is(targetOf(url, { add: '/v1' }), undefined, url)
  assert.is(targetOf('/api/../admin', { strip: '/api', add: '/v1' }), undefined)
})

test('targets that servers read in different ways are refused', () => {
  for (const url of ['/%', '/%z1', '/%00', '/a%0', 'a', 'ftp://site.test/a', '*']) assert.is(targetOf(url), undefined, url)
  assert.is(upstreamTarget('OPTIONS', '*', none)?.target, '*')
})

test.run()
