// Refused requests that show that socket.io sessions are spread over several workers.

import type { ServerResponse } from 'node:http'
import { RouteTable } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { UnknownSessions } from '../../src/reports/unknown-sessions.ts'
import type { RouteMeaning } from '../../src/steering/worker-routes.ts'

const test = suite('unknown sessions')

const plain: RouteMeaning = { index: 0, policyName: 'least-busy', ticket: undefined, learns: [], policy: undefined, spread: undefined }
const byAddress = { ...plain, policy: { name: 'sticky', pick: () => undefined } } as unknown as RouteMeaning
const byTicket = { ...byAddress, ticket: {} } as unknown as RouteMeaning

/** The warnings after refused requests for these targets, on a route with this meaning. */
function said(meaning: RouteMeaning, targets: readonly string[], workers = 2): string[] {
  const warnings: string[] = []
  const table = new RouteTable([], { name: 'all', match: {}, pool: 'web', policy: meaning })
  const sessions = new UnknownSessions({ table, workers: () => workers, warn: (message) => warnings.push(message) })
  for (const url of targets) {
    const req = { method: 'GET', url, headers: { host: 'a' }, socket: {} }
    sessions.onErrorResponse({ statusCode: 400, req } as unknown as ServerResponse)
    sessions.onErrorResponse({ statusCode: 404, req } as unknown as ServerResponse)
  }
  return warnings
}

const poll = '/socket.io/?EIO=4&transport=polling&t=x&sid=abc'

test('an unknown session on a route that is not sticky: one warning', () => {
  const [warning = '', ...more] = said(plain, [poll, poll, poll])
  assert.match(warning, "path: '/socket.io/*'")
  assert.equal(more, [])
})

test('the warning names the route as config, and repeats nothing that a client made up', () => {
  assert.match(said(plain, ['/live/chat/?EIO=3&sid=x'])[0] ?? '', "path: '/live/chat/*'")
  for (const path of ['/', '/a%20b/', '/x\x1b[31m/', '/a/b/c/d/e/', `/${"'"}`])
    assert.match(said(plain, [`${path}?EIO=4&sid=x`])[0] ?? '', "path: '/socket.io/*'", path)
})

test('a sticky route by ticket, but no ticket in the session ids', () => {
  assert.match(said(byTicket, [poll])[0] ?? '', 'its session ids carry no ticket')
})

test('no other request causes a warning', () => {
  assert.equal(said(byAddress, [poll]), [], 'it is sticky by something else')
  assert.equal(said(plain, [poll], 1), [], 'one worker has all')
  for (const url of [
    '/',
    '/?sid=x',
    '/socket.io/?EIO=4&transport=polling',
    '/?EIO=x&sid=1',
    '/?XEIO=4&sid=1',
    '/?EIO=4&asid=1',
    '/?EIO=4&sid=',
  ])
    assert.equal(said(plain, [url]), [], url)
})

test.run()
