// Refused PROXY protocol headers are reported once a minute for each reason, with the count of those between.

import { assert, suite } from '../../../../test/suite.ts'
import { eventLines } from '../../src/cli/running/event-lines.ts'
import { ProxyHeaderFaults, type ProxyHeaderReport } from '../../src/dispatch/proxy-header-faults.ts'

const test = suite('faults of PROXY protocol headers')

test('the first of each reason is reported, then one a minute', () => {
  const reports: Parameters<ProxyHeaderReport>[0][] = []
  const faults = new ProxyHeaderFaults((fault) => reports.push(fault))
  for (let ms = 0; ms < 61_000; ms += 1_000) faults.record('proxy-header-missing', '10.0.0.7', ms)
  faults.record('proxy-header-untrusted', undefined, 5)
  assert.equal(
    reports.map(({ reason, address, more }) => [reason, address, more]),
    [
      ['proxy-header-missing', '10.0.0.7', 0],
      ['proxy-header-missing', '10.0.0.7', 59],
      ['proxy-header-untrusted', undefined, 0],
    ],
  )
  const [first, second, third] = reports.map((report) => eventLines.proxyHeaderRefused(report).text)
  assert.match(first ?? '', /^refused a connection from 10\.0\.0\.7 without a PROXY protocol header: set the proxy to send one/)
  assert.match(second ?? '', /; 59 more since the last such line$/)
  assert.match(third ?? '', /^refused a connection from a unix socket with a PROXY protocol header: /)
})

test.run()
