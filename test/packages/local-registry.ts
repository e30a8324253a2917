// A package registry on loopback that serves a folder of tarballs, as a release would publish them.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

interface Manifest {
  readonly name: string
  readonly version: string
}

export interface LocalRegistry {
  readonly url: string
  /** The packages that clients have fetched. */
  readonly fetched: ReadonlySet<string>
  close(): void
}

/** Serves the packages of the folder. Other packages are unknown to it. */
export async function openLocalRegistry(folder: string): Promise<LocalRegistry> {
  const fetched = new Set<string>()
  const packages = new Map<string, { manifest: Manifest; bytes: Buffer; file: string }>()
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name))
    const manifest = manifestIn(bytes)
    packages.set(manifest.name, { manifest, bytes, file: name })
  }
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '')
    const tarball = [...packages.values()].find(({ file }) => path.endsWith(`/-/${file}`))
    if (tarball !== undefined) {
      fetched.add(tarball.manifest.name)
      return void response.end(tarball.bytes)
    }
    const one = packages.get(path.slice(1))
    if (one === undefined) return void response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"error":"not found"}')
    const { name, version } = one.manifest
    const integrity = `sha512-${createHash('sha512').update(one.bytes).digest('base64')}`
    const dist = { tarball: `${url}/${name}/-/${basename(one.file)}`, integrity }
    const packument = {
      name,
      'dist-tags': { latest: version },
      versions: { [version]: { ...one.manifest, dist } },
      time: { [version]: RELEASED },
    }
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(packument))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, fetched, close: () => server.close().closeAllConnections() }
}

/** Old enough for package managers that wait with new versions. */
const RELEASED = '2026-01-01T00:00:00.000Z'

/** The package.json of a tarball: a header of 512 bytes, then the file. */
function manifestIn(bytes: Buffer): Manifest {
  const tar = gunzipSync(bytes)
  for (let at = 0; at < tar.length; ) {
    const name = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '')
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8) || 0
    if (name === 'package/package.json') return JSON.parse(tar.toString('utf8', at + 512, at + 512 + size)) as Manifest
    at += 512 + Math.ceil(size / 512) * 512
  }
  throw new Error('no package.json in the tarball')
}
