// Which options of an address change with a reload, and why others do not.

import { assert, suite } from '../../../../test/suite.ts'
import { reloadFaults } from '../../src/config/reload-faults.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { folderWith } from '../cli/started-command.ts'

const test = suite('reload faults')
const folder = folderWith({ 'app.js': '' })
const resolved = (...listen: object[]) =>
  resolveSettings({ app: './app.js', listen } as never, { folder, env: { SWITCHYARD_SECRET: 'x'.repeat(32) } })
const messageOf = (now: object, next: object) => reloadFaults(resolved(now, { port: 81 }), resolved(next, { port: 81 }))?.message
const tls = { cert: 'a.crt', key: 'a.key' }

test('options of TLS and HTTP/2, and what the primary answers', () => {
  assert.is(messageOf({ port: 80, tls }, { port: 80, tls: { cert: 'b.crt', preset: 'modern', hsts: 5 }, http2: true }), undefined)
  assert.is(messageOf({ port: 80, http2: true }, { port: 80, redirectToHttps: { port: 443 }, acmeFolder: 'acme' }), undefined)
})

for (const [now, next, message] of [
  [{ port: 80 }, { port: 82 }, "listen: can't change in a reload (it is *:80, *:81, and would be *:82, *:81)"],
  [{ port: 80 }, { port: 80, protocol: 'http' }, "listen[0].protocol: can't change in a reload: the primary reads it when it opens"],
  [{ port: 80 }, { port: 80, proxyProtocol: { from: ['10.0.0.1'] } }, "listen[0].proxyProtocol: can't change in a reload"],
  [{ port: 80 }, { port: 80, tls }, "listen[0].tls: can't be turned on or off in a reload"],
  [{ port: 80, tls }, { port: 80 }, "listen[0].tls: can't be turned on or off in a reload"],
] as const)
  test(message, () => assert.match(messageOf(now, next) ?? '', message))

test.run()
