import { assert, suite } from '../../../../test/suite.ts'
import { DnsServer } from '../../../../test/support/dns-server.ts'
import { until } from '../../../../test/support/until.ts'
import { nameResolver } from '../../src/upstreams/name-resolver.ts'
import { NameWatch } from '../../src/upstreams/name-watch.ts'

const test = suite('names of upstream servers')

const SETTINGS = { servers: [], minTtlMs: 10, maxTtlMs: 20, intervalMs: 15, timeoutMs: 1_000, maxAddresses: 2 }

function watchOf(answers: readonly (readonly string[] | Error)[]) {
  const seen: string[] = []
  const notices: string[] = []
  let asked = 0
  const watch = new NameWatch({
    host: 'app.test',
    settings: SETTINGS,
    resolve: async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)]
      if (answer instanceof Error) throw answer
      return { addresses: answer ?? [], ttlMs: 0 }
    },
    onAddresses: (addresses) => seen.push(addresses.join(' ')),
    onNotice: (level, message) => notices.push(`${level}: ${message}`),
    chance: () => 0,
  })
  const ended = until(() => asked > answers.length, 5_000, 'all lookups').finally(() => watch.stop())
  return { seen, notices, ended, watch }
}

test('changes are told, sorted and bounded; addresses in use stay where there are too many', async () => {
  const { seen, ended } = watchOf([
    ['2', '1'],
    ['1', '2'],
    ['1', '2', '0'],
    ['3', '2', '3'],
  ])
  await ended
  assert.equal(seen, ['1 2', '2 3'])
})

test('failures keep the last addresses and are told once; so is their end', async () => {
  const failure = Object.assign(new Error('no answer'), { code: 'ETIMEOUT' })
  const { seen, notices, ended } = watchOf([['1'], failure, failure, ['1'], ['2']])
  await ended
  assert.equal(seen, ['1', '2'])
  assert.equal(notices, [
    "warn: app.test can't be looked up (ETIMEOUT): its last addresses stay in use (1)",
    'info: app.test is found again',
  ])
})

test('an empty answer changes nothing', async () => {
  const { seen, ended } = watchOf([['1'], [], []])
  await ended
  assert.equal(seen, ['1'])
})

test('DNS servers of the config are asked, and say how long an answer holds', async () => {
  const dns = await DnsServer.start()
  dns.records.set('app.test', { addresses: ['192.0.2.1', '192.0.2.2'], ttlS: 7 })
  const resolve = nameResolver({ servers: [dns.address], timeoutMs: 1_000 })
  const { addresses, ttlMs } = await resolve('app.test')
  assert.equal([[...addresses].sort(), ttlMs], [['192.0.2.1', '192.0.2.2'], 7_000])
  const fails = async (host: string): Promise<unknown> => resolve(host).catch(({ code }) => code)
  assert.is(await fails('other.test'), 'ENOTFOUND')
  dns.isFailing = true
  assert.is(await fails('app.test'), 'ESERVFAIL')
})

test('a name in the hosts file is found without DNS', async () => {
  const { addresses, ttlMs } = await nameResolver({ servers: [], timeoutMs: 1_000 })('localhost')
  assert.ok(addresses.includes('127.0.0.1') || addresses.includes('::1'))
  assert.is(ttlMs, undefined)
})

test.run()
