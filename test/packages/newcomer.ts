// A user in an empty home, without a compiler, who installs the packages of a local registry.

import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { atSuiteEnd } from '../suite.ts'
import { type LoggedChild, spawnLogged } from '../support/spawn.ts'

/** `nobody`; other users install as themselves. */
const UID = process.getuid?.() === 0 ? 65_534 : undefined
/** What the commands of the package managers need. A compiler is not among them. */
const SYSTEM = ['sh', 'env', 'uname', 'sed', 'dirname', 'cat']
/** How this machine reaches the registry of the other packages. */
const NETWORK = /^(https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_file|ssl_cert_dir|npm_config_registry)$/i
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'
const SERVER = "require('node:http').createServer((request, response) => response.end('from ' + process.env.SWITCHYARD_POOL)).listen(0)\n"

function inPath(command: string): string {
  const found = (process.env.PATH ?? '').split(delimiter).find((folder) => existsSync(join(folder, command)))
  if (found === undefined) throw new Error(`${command} is not in PATH`)
  return join(found, command)
}

export class Newcomer {
  readonly home = mkdtempSync(join(tmpdir(), 'newcomer-'))
  private readonly registry: string
  /** The registry of the user who runs the tests. */
  private readonly usual = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim()

  constructor(registry: string) {
    this.registry = registry
    atSuiteEnd(() => rmSync(this.home, { recursive: true, force: true }))
    const bin = this.folder('bin')
    // The executable may be in a folder that is closed to others.
    copyFileSync(process.execPath, join(bin, 'node'))
    for (const name of ['npm', 'npx']) symlinkSync(inPath(name), join(bin, name))
    for (const name of SYSTEM) symlinkSync(join('/bin', name), join(bin, name))
    this.own(this.home)
    chmodSync(this.home, 0o700)
  }

  /** A new folder with an app that has no dependency. */
  app(name: string, files: Readonly<Record<string, string>> = {}): string {
    const folder = this.folder(name)
    const all = {
      '.npmrc': `registry=${this.usual}\n@switchyard:registry=${this.registry}/\n`,
      'package.json': JSON.stringify({ name: 'an-app', version: '1.0.0', private: true }),
      'server.js': SERVER,
      ...files,
    }
    for (const [file, text] of Object.entries(all)) {
      writeFileSync(join(folder, file), text)
      this.own(join(folder, file))
    }
    return folder
  }

  folder(name: string): string {
    const path = join(this.home, name)
    mkdirSync(path, { recursive: true })
    this.own(path)
    return path
  }

  start(folder: string, command: string, ...args: string[]): LoggedChild {
    const network = Object.fromEntries(Object.entries(process.env).filter(([name]) => NETWORK.test(name)))
    // A proxy of the network may have a certificate that only the system knows.
    const authorities = existsSync(AUTHORITIES) ? { NODE_EXTRA_CA_CERTS: AUTHORITIES } : {}
    const env = {
      ...authorities,
      ...network,
      PWD: folder,
      PATH: join(this.home, 'bin'),
      HOME: this.home,
      TMPDIR: this.folder('tmp'),
      CI: 'true',
    }
    return spawnLogged(command, args, { cwd: folder, env, ...(UID !== undefined && { uid: UID, gid: UID }) })
  }

  /** Resolves with the output. Rejects when the command fails. */
  async run(folder: string, command: string, ...args: string[]): Promise<string> {
    const child = this.start(folder, command, ...args)
    const { code } = await child.ended
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${child.output()}`)
    return child.output()
  }

  private own(path: string): void {
    if (UID !== undefined) chownSync(path, UID, UID)
  }
}
