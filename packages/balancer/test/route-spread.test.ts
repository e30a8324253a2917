// Which routes are spread on which listeners, and where the option has no effect.

import { assert, suite } from '../../../test/suite.ts'
import type { BalancerConfig } from '../src/config/config.ts'
import { resolveSettings } from '../src/config/resolve.ts'
import { routeSpread, spreadText, spreadWarnings } from '../src/route-spread.ts'
import type { Settings } from '../src/settings.ts'
import { folder } from './config/fault-finder.ts'

const test = suite('spread by route')
const plain = { port: 4000, host: '127.0.0.1' }
const spreading = { port: 4001, http2: { spread: true } }
const keeping = { port: 4002, http2: true }
const unix = { path: '/run/a.sock', http2: true }

function settingsOf(config: BalancerConfig): Settings {
  return resolveSettings({ app: 'server.js', listen: [plain, spreading, keeping, unix], ...config }, { folder, env: {} })
}

const settings = settingsOf({
  pools: { web: {}, legacy: { upstream: ['http://192.0.2.1'] } },
  routes: [
    { path: '/on', spread: true },
    { path: '/off', spread: false },
    { path: '/left' },
    { path: '/sticky', policy: { sticky: { by: 'ticket' } }, spread: true },
    { path: '/legacy', pool: 'legacy', spread: true },
    { path: '/plain', listener: 4000, spread: false },
    { path: '/one', listener: 4002, spread: true },
    { path: '/two', listener: 4001 },
  ],
})
const named = (name: string) => settings.routes.find(({ match }) => match.path === name) as (typeof settings.routes)[number]
const whyOf = (name: string, listener: object) => routeSpread(named(name), settings, listener)

test('a route’s own value overrides that of the listener', () => {
  const on = { isOn: true, why: "'spread' of the route is true" }
  const off = { isOn: false, why: "'spread' of the route is false" }
  assert.equal(
    [spreading, keeping, unix].map((listener) => whyOf('/on', listener)),
    [on, on, on],
  )
  assert.equal(
    [spreading, keeping].map((listener) => whyOf('/off', listener)),
    [off, off],
  )
  assert.equal(
    [spreading, keeping, { port: 4001, host: '::' }].map((listener) => whyOf('/left', listener)),
    [true, false, true].map((isOn) => ({ isOn, why: `'http2.spread' of the listener is ${isOn}` })),
  )
})

test('a listener without HTTP/2, or that is not known, spreads nothing', () => {
  for (const listener of [plain, { port: 4000 }, { port: 5000 }, { port: 4001, host: '10.0.0.1' }])
    assert.is(whyOf('/on', listener), undefined)
  assert.is(routeSpread(named('/on'), settings, undefined), undefined)
})

test('sticky routes and proxies are not spread, whatever is asked for', () => {
  assert.equal(whyOf('/sticky', spreading), { isOn: false, why: 'the policy sticky-ticket chooses the worker of each stream' })
  assert.match(whyOf('/legacy', spreading)?.why ?? '', /^the workers of legacy are proxies/)
})

test('one word for all listeners of a route', () => {
  const words = settings.routes.map((route) => `${route.match.path} ${spreadText(route, settings)}`)
  const expected = ['/on yes', '/off no', '/left by listener', '/sticky no', '/legacy no', '/plain -', '/one yes', '/two yes']
  assert.equal(words, expected)
})

test('one warning for each route whose option has no effect', () => {
  assert.equal(spreadWarnings(settings), [
    "'spread' of the route /sticky has no effect: the policy sticky-ticket chooses the worker of each stream",
    "'spread' of the route /legacy has no effect: the workers of legacy are proxies, and a request does not keep their event loops busy",
    "'spread' of the route /plain on 4000 has no effect: the listener 4000 has no 'http2'",
  ])
  const routes = [{ path: '/a', spread: true }]
  assert.equal(spreadWarnings(settingsOf({ listen: 80, routes })), [
    "'spread' of the route /a has no effect: no address of 'listen' has 'http2'",
  ])
  assert.equal(spreadWarnings(settingsOf({ listen: undefined, routes })), [
    "'spread' of the route /a has no effect: the config has no 'listen' with 'http2'",
  ])
})

test('anything but true and false is a fault', () => {
  assert.throws(() => settingsOf({ routes: [{ spread: 'yes' as never }] }), /routes\[0\]\.spread: expected true or false, got 'yes'/)
})

test.run()
