// What becomes of changed certificate files: a good one is used at once, a bad one is reported once, and a pair gets time to become whole.

import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsChange } from '@switchyard/worker-runtime'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { CertificateWatch } from '../../src/certificates/certificate-watch.ts'
import type { TlsSettings } from '../../src/listener-settings.ts'
import { type MadeCertificate, makeCertificate } from '../support/certificate-maker.ts'

const POLL_MS = 10
const DAY_MS = 86_400_000
const root = mkdtempSync(join(tmpdir(), 'switchyard-watch-'))
atSuiteEnd(() => rmSync(root, { recursive: true }))
const test = suite('certificate watch')
const [one, two, three] = ['one', 'two', 'three'].map((name) => makeCertificate(root, name, { names: [`${name}.example`] })) as [
  MadeCertificate,
  MadeCertificate,
  MadeCertificate,
]

let folders = 0
function newFolder(): string {
  const folder = join(root, `folder${folders++}`)
  mkdirSync(folder)
  return folder
}

function install({ cert, key }: MadeCertificate, folder: string, name = 'site'): void {
  copyFileSync(cert, join(folder, `${name}.crt`))
  copyFileSync(key, join(folder, `${name}.key`))
}

/** `nowMs` is the watch's clock, which the test moves. */
class Watched {
  readonly changes: TlsChange[] = []
  readonly log: string[] = []
  readonly watch: CertificateWatch
  nowMs = Date.now()
  /** Each poll reads the clock once. */
  private readings = 0

  constructor(settings: Partial<TlsSettings>) {
    const all: TlsSettings = {
      ...{ certificates: [], folder: undefined, passphrase: undefined, mutual: undefined, alpn: undefined, hsts: undefined },
      ...{ preset: 'intermediate', handshakeTimeoutMs: 1000 },
      ...settings,
    }
    this.watch = new CertificateWatch({
      listeners: [{ number: 3, address: '*:443', option: 'listen.tls', settings: all }],
      now: () => {
        this.readings++
        return this.nowMs
      },
      pollMs: POLL_MS,
      onChange: (change) => this.changes.push(change),
      onRenewed: (_address, { names }) => this.log.push(`renewed ${names}`),
      onRefused: (_address, faults) => this.log.push(`refused ${faults.map(({ message }) => message)}`),
      onExpiring: (_address, { names }) => this.log.push(`expiring ${names}`),
    })
    assert.equal(this.watch.open(), [])
    atSuiteEnd(() => this.watch.stop())
  }

  /** Resolves after a whole poll. */
  async polled(): Promise<void> {
    const before = this.readings
    await until(() => this.readings > before + 2, 5_000, 'polls')
  }

  untilLog(count: number): Promise<unknown> {
    return until(() => this.log.length >= count, 5_000, `${count} lines`)
  }
}

const pairIn = (folder: string) => [{ place: '', cert: join(folder, 'site.crt'), key: join(folder, 'site.key'), ocsp: undefined }]

test('a renewed pair goes to the workers, once', async () => {
  const folder = newFolder()
  install(one, folder)
  const watched = new Watched({ certificates: pairIn(folder) })
  await watched.polled()
  assert.equal(watched.changes, [], 'nothing has changed')
  install(two, folder)
  await watched.untilLog(1)
  await watched.polled()
  assert.equal(watched.log, ['renewed two.example'])
  const [change, ...more] = watched.changes
  assert.equal(more, [])
  assert.ok(change !== undefined && 'certificate' in change)
  assert.equal([change.listener, change.id, change.certificate?.names], [3, join(folder, 'site.crt'), ['two.example']])
  assert.equal(watched.watch.starts[0]?.certificates[0]?.names, ['two.example'], 'workers that start later get it too')
  watched.watch.stop()
})

test('a certificate whose key comes later is no fault; one whose key does not come is, once', async () => {
  const folder = newFolder()
  install(one, folder)
  const watched = new Watched({ certificates: pairIn(folder) })
  copyFileSync(two.cert, join(folder, 'site.crt'))
  await watched.polled()
  assert.equal(watched.log, [], 'the pair is not whole yet')
  watched.nowMs += 6_000
  await watched.untilLog(1)
  watched.nowMs += 60_000
  await watched.polled()
  assert.is(watched.log.length, 1)
  assert.match(watched.log[0] ?? '', /^refused .*site\.key is not the key of .*site\.crt/)
  assert.equal(watched.changes, [])
  assert.equal(watched.watch.starts[0]?.certificates[0]?.names, ['one.example'])
  copyFileSync(two.key, join(folder, 'site.key'))
  await watched.untilLog(2)
  assert.is(watched.log[1], 'renewed two.example')
  watched.watch.stop()
})

test('a file that is gone keeps its certificate in use', async () => {
  const folder = newFolder()
  install(one, folder)
  const watched = new Watched({ certificates: pairIn(folder) })
  await watched.polled()
  unlinkSync(join(folder, 'site.crt'))
  await watched.polled()
  watched.nowMs += 6_000
  await watched.untilLog(1)
  assert.match(watched.log[0] ?? '', /^refused there is no .*site\.crt/)
  assert.equal(watched.changes, [])
  watched.watch.stop()
})

test('links that are turned, as by certbot and Kubernetes', async () => {
  const folder = newFolder()
  for (const [name, made] of Object.entries({ '..1': one, '..2': two })) {
    mkdirSync(join(folder, name))
    install(made, join(folder, name), 'tls')
  }
  symlinkSync('..1', join(folder, '..data'))
  for (const file of ['tls.crt', 'tls.key']) symlinkSync(`..data/${file}`, join(folder, file))
  const watched = new Watched({ folder })
  await watched.polled()
  symlinkSync('..2', join(folder, '..new'))
  renameSync(join(folder, '..new'), join(folder, '..data'))
  await watched.untilLog(1)
  assert.equal(watched.log, ['renewed two.example'])
  watched.watch.stop()
})

test('in a folder certificates come and go, and a bad one holds up no other', async () => {
  const folder = newFolder()
  install(one, folder, 'one')
  install(two, folder, 'two')
  const watched = new Watched({ folder })
  await watched.polled()
  install(three, folder, 'three')
  await watched.untilLog(1)
  unlinkSync(join(folder, 'three.crt'))
  await until(() => watched.changes.length > 1, 5_000, 'the removal')
  const [added, removed] = watched.changes
  assert.ok(added !== undefined && 'certificate' in added && removed !== undefined && 'certificate' in removed)
  assert.equal([added.certificate?.names, removed.certificate, removed.id], [['three.example'], undefined, added.id])
  writeFileSync(join(folder, 'one.crt'), 'broken')
  install(three, folder, 'two')
  await until(() => watched.changes.length > 2, 5_000, 'the renewal of the other')
  watched.nowMs += 6_000
  await until(() => watched.log.some((line) => line.startsWith('refused')), 5_000, 'the fault')
  assert.equal(
    watched.watch.starts[0]?.certificates.map(({ names }) => names[0]),
    ['one.example', 'three.example'],
  )
  watched.watch.stop()
})

test('an expiry is announced once, in time', async () => {
  const folder = newFolder()
  install(one, folder)
  const watched = new Watched({ certificates: pairIn(folder) })
  watched.nowMs += 26 * DAY_MS
  await watched.polled()
  assert.equal(watched.log, [], 'four of thirty days are left')
  watched.nowMs += 1.5 * DAY_MS
  await watched.polled()
  await watched.polled()
  assert.equal(watched.log, ['expiring one.example'])
  watched.watch.stop()
})

test('faults at the start have their place in the config', () => {
  const listeners = [
    {
      number: 0,
      address: '*:443',
      option: 'listen[1].tls',
      settings: {
        certificates: [
          { place: '', cert: one.cert, key: two.key, ocsp: undefined },
          { place: 'certificates[0].', cert: '/none.crt', key: two.key, ocsp: '/none.ocsp' },
        ],
        folder: '/none',
        mutual: { ca: one.key, required: true },
        ...{ passphrase: undefined, preset: 'modern' as const, alpn: undefined, hsts: undefined, handshakeTimeoutMs: 1 },
      },
    },
  ]
  const ignore = () => {}
  const watch = new CertificateWatch({
    listeners,
    now: Date.now,
    onChange: ignore,
    onRenewed: ignore,
    onRefused: ignore,
    onExpiring: ignore,
  })
  assert.equal(
    watch.open().map(({ option }) => option),
    ['folder', 'key', 'certificates[0].cert', 'certificates[0].ocsp', 'mutual.ca'].map((option) => `listen[1].tls.${option}`),
  )
})

test.run()
