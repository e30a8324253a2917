// Parsing of Redis urls, and the faults of invalid ones.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisHost, type RedisUrl, readRedisUrl } from '../../src/redis/redis-url.ts'

const test = suite('redis url')
const PLAIN: RedisUrl = {
  kind: 'single',
  tls: false,
  hosts: [{ host: 'redis', port: 6379 }],
  username: undefined,
  password: undefined,
  database: 0,
  sentinel: undefined,
}
const main = { masterName: 'main', username: undefined, password: undefined }
const two = (port: number): [RedisHost, RedisHost] => [
  { host: 'a', port },
  { host: 'b', port: 7 },
]

const good: readonly [url: string, expected: RedisUrl][] = [
  ['redis://redis', PLAIN],
  ['redis://redis:6380/3', { ...PLAIN, hosts: [{ host: 'redis', port: 6380 }], database: 3 }],
  ['redis://redis/?db=2', { ...PLAIN, database: 2 }],
  ['rediss://ann:p%40ss%3Aword@redis', { ...PLAIN, tls: true, username: 'ann', password: 'p@ss:word' }],
  ['redis://:secret@redis', { ...PLAIN, password: 'secret' }],
  ['redis://[::1]:7000', { ...PLAIN, hosts: [{ host: '::1', port: 7000 }] }],
  ['redis+sentinel://a,b:7/main', { ...PLAIN, kind: 'sentinel', hosts: two(26_379), sentinel: main }],
  [
    'rediss+sentinel://:x@a,b:7/main?db=1&sentinelUsername=s&sentinelPassword=%20',
    {
      ...PLAIN,
      kind: 'sentinel',
      tls: true,
      hosts: two(26_379),
      password: 'x',
      database: 1,
      sentinel: { masterName: 'main', username: 's', password: ' ' },
    },
  ],
  ['redis+cluster://ann:x@a,b:7', { ...PLAIN, kind: 'cluster', hosts: two(6379), username: 'ann', password: 'x' }],
]
for (const [url, expected] of good) test(`reads ${url}`, () => assert.equal(readRedisUrl(url), expected))

const bad: readonly [url: string, fault: RegExp][] = [
  ['', /expected redis:/],
  ['http://redis', /expected redis:/],
  ['redis+unix://redis', /expected redis:/],
  ['redis://', /expected redis:/],
  ['redis://a,b', /several hosts/],
  ['redis://a:0', /each host/],
  ['redis://a:99999', /each host/],
  ['redis+cluster://a,,b', /each host/],
  ['redis://a/secret', /number of a database/],
  ['redis+sentinel://a', /name of the master/],
  ['redis+cluster://a/1', /no numbered databases/],
  ['redis://a?ttl=1', /unknown parameter ttl/],
  ['redis://ann:%zz@a', /percent-encoded/],
]
for (const [url, fault] of bad) {
  test(`names the fault of "${url}", without the password`, () => {
    const found = readRedisUrl(url)
    assert.type(found, 'string')
    assert.match(String(found), fault)
    assert.not.match(String(found), 'secret')
  })
}

test.run()
