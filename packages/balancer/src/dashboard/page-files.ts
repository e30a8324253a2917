// The static files of the page, read once when the first reader comes. Only their exact names are answered.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface PageFile {
  readonly type: string
  readonly body: Buffer
  readonly etag: string
}

/** The build puts the page and its libraries here. */
const FOLDER = fileURLToPath(new URL('../../dist/page/', import.meta.url))

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
}

/** Every file by its path in the folder, such as `vendor/preact.js`. Throws if the folder is missing. */
export function readPageFiles(folder: string = FOLDER): ReadonlyMap<string, PageFile> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => TYPES[extname(name)] !== undefined)
  return new Map(
    names.map((name) => {
      const body = readFileSync(`${folder}/${name}`)
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
      return [name.replaceAll('\\', '/'), { type: TYPES[extname(name)] as string, body, etag }]
    }),
  )
}
