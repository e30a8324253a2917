// The certificates of a folder, as the tools that write them leave their files.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { certificatesIn } from '../../src/certificates/certificate-folder.ts'
import { combine, makeCertificate } from '../support/certificate-maker.ts'

const root = mkdtempSync(join(tmpdir(), 'switchyard-folder-'))
atSuiteEnd(() => rmSync(root, { recursive: true }))
const test = suite('certificate folder')
const made = makeCertificate(root, 'made', { names: ['a.example'] })

/** Writes files by name: `cert`, `key` or `both` of the made certificate, or another text. */
function folderOf(name: string, files: Readonly<Record<string, string>>): string {
  const folder = join(root, name)
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    if (content === 'cert' || content === 'key') copyFileSync(made[content], file)
    else if (content === 'both') combine(made, file)
    else if (content.startsWith('-> ')) symlinkSync(content.slice(3), file)
    else writeFileSync(file, content)
  }
  return folder
}

/** `cert + key` of each, relative to the folder. */
function found(folder: string): string[] {
  const { value, fault } = certificatesIn(folder)
  assert.is(fault, undefined)
  return (value ?? []).map(({ cert, key, ocsp }) =>
    [relative(folder, cert), ...(key === cert ? [] : [basename(key)]), ...(ocsp === undefined ? [] : [basename(ocsp)])].join(' + '),
  )
}

const cases: [tool: string, files: Record<string, string>, expected: string[]][] = [
  [
    'certbot',
    {
      'archive/a.example/fullchain1.pem': 'cert',
      'archive/a.example/privkey1.pem': 'key',
      'live/README': 'text',
      'live/a.example/README': 'text',
      'live/a.example/fullchain.pem': '-> ../../archive/a.example/fullchain1.pem',
      'live/a.example/privkey.pem': '-> ../../archive/a.example/privkey1.pem',
      'live/a.example/cert.pem': 'cert',
      'live/a.example/chain.pem': 'cert',
    },
    ['a.example/fullchain.pem + privkey.pem'],
  ],
  [
    'lego',
    {
      'a.example.crt': 'cert',
      'a.example.key': 'key',
      'a.example.issuer.crt': 'cert',
      'a.example.json': '{}',
      '_.b.example.crt': 'cert',
      '_.b.example.key': 'key',
    },
    ['_.b.example.crt + _.b.example.key', 'a.example.crt + a.example.key'],
  ],
  [
    'acme.sh',
    {
      'a.example_ecc/fullchain.cer': 'cert',
      'a.example_ecc/a.example.key': 'key',
      'a.example_ecc/ca.cer': 'cert',
      'a.example_ecc/a.example.cer': 'cert',
      'account.conf': '',
    },
    ['a.example_ecc/fullchain.cer + a.example.key'],
  ],
  [
    'a mounted secret of cert-manager',
    {
      '..2026_11_30/tls.crt': 'cert',
      '..2026_11_30/tls.key': 'key',
      '..2026_11_30/ca.crt': 'cert',
      '..data': '-> ..2026_11_30',
      'tls.crt': '-> ..data/tls.crt',
      'tls.key': '-> ..data/tls.key',
      'ca.crt': '-> ..data/ca.crt',
    },
    ['tls.crt + tls.key'],
  ],
  [
    'secrets in subfolders',
    { 'one/tls.crt': 'cert', 'one/tls.key': 'key', 'two/tls.crt': 'cert', 'two/tls.key': 'key' },
    ['one/tls.crt + tls.key', 'two/tls.crt + tls.key'],
  ],
  ['mkcert', { 'a.example+1.pem': 'cert', 'a.example+1-key.pem': 'key' }, ['a.example+1.pem + a.example+1-key.pem']],
  ['HAProxy', { 'a.pem': 'both', 'b.pem': 'cert', 'b.pem.key': 'key', 'b.pem.ocsp': '0x' }, ['a.pem', 'b.pem + b.pem.key + b.pem.ocsp']],
  ['certificates of authorities', { 'authority.pem': 'cert', 'root.crt': 'cert', 'notes.txt': 'x' }, []],
]
for (const [tool, files, expected] of cases)
  test(tool, () => {
    const folder = folderOf(tool, files)
    assert.equal(found(tool === 'certbot' ? join(folder, 'live') : folder), expected)
  })

test('a folder that is not there', () => assert.match(certificatesIn('/none').fault ?? '', /^there is no \/none$/))

test.run()
