// What testssl.sh and sslscan find on a TLS listener with each preset.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { assert, suite } from '../../../test/suite.ts'
import { portOf, startBalancer, temporaryFolder } from '../test/e2e/support/running-balancer.ts'
import { makeCertificate } from '../test/support/certificate-maker.ts'

const TIMEOUT_MS = 400_000
const test = suite('scanners', { timeoutMs: 900_000 })
const run = promisify(execFile)

/** Protocols, ciphers, forward secrecy, preferences, the certificate, header fields, and vulnerabilities. */
const CHECKS = ['-p', '-s', '-f', '-P', '-S', '-h', '-U']
/** What a private authority of a test lacks: it publishes no revocations, no CAA record and no log, and its certificate has a short life. */
const OF_AUTHORITY = /^(cert_|OCSP|DNS_CAArecord|certificate_transparency|security_headers)/
const GRAVE = new Set(['MEDIUM', 'HIGH', 'CRITICAL', 'WARN', 'FATAL'])

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

for (const preset of ['intermediate', 'modern'] as const)
  test(`nothing grave is found with the preset ${preset}`, async () => {
    const folder = temporaryFolder()
    const authority = makeCertificate(folder, 'authority', { isAuthority: true, subject: '/CN=Test authority' })
    const site = makeCertificate(folder, 'site', { names: ['localhost', '127.0.0.1'], issuer: authority })
    const balancer = await startBalancer({
      config: {
        app: 'plain-app.mjs',
        pools: { web: { workers: 1 } },
        listen: { host: '127.0.0.1', port: 0, tls: { ...site, preset, hsts: 31_536_000 } },
      },
    })
    const target = `127.0.0.1:${portOf(balancer.addresses[0] ?? '')}`
    const report = join(folder, 'report.json')
    const options = ['--quiet', '--color', '0', '--warnings', 'off', '--add-ca', authority.cert, '--jsonfile', report]
    // Its exit code counts findings.
    await run('testssl', [...options, ...CHECKS, target], { timeout: TIMEOUT_MS, maxBuffer: 2 ** 24 }).catch(() => {})
    const findings = JSON.parse(readFileSync(report, 'utf8')) as Finding[]
    const grave = findings.filter(({ id, severity }) => GRAVE.has(severity) && !OF_AUTHORITY.test(id))
    console.log(`testssl, ${preset}: ${findings.length} findings, ${grave.length} of them grave`)
    assert.equal(grave, [])
    assert.ok(
      findings.some(({ id, severity }) => id === 'heartbleed' && severity === 'OK'),
      'the vulnerabilities were looked for',
    )

    const { stdout } = await run('sslscan', ['--no-colour', target], { timeout: TIMEOUT_MS })
    const accepted = [...stdout.matchAll(/^(?:Preferred|Accepted) +(TLSv\S+) +\d+ bits +(\S+)/gm)].map(
      ([, version, cipher]) => `${version} ${cipher}`,
    )
    console.log(`sslscan, ${preset}: ${accepted.join(', ')}`)
    const old = accepted.filter((one) => !/^TLSv1\.3 |^TLSv1\.2 ECDHE-/.test(one))
    assert.equal(old, [])
    assert.is(
      accepted.some((one) => one.startsWith('TLSv1.2')),
      preset === 'intermediate',
    )
    assert.is(await balancer.stop(), 0)
  })

test.run()
