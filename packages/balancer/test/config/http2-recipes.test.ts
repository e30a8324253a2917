// The recipes of docs/http2.md are configs without a fault, and no option in them is without effect.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { loadTlsFor } from '../../src/config/tls-options.ts'
import { spreadText, spreadWarnings } from '../../src/route-spread.ts'
import type { Settings } from '../../src/settings.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { folder } from './fault-finder.ts'

const test = suite('recipes of HTTP/2')
const certificates = join(folder, 'certificates')
mkdirSync(certificates)
makeCertificate(certificates, 'localhost', { names: ['localhost'] })
writeFileSync(join(folder, 'grpc-server.js'), '')

const page = readFileSync(new URL('../../../../docs/http2.md', import.meta.url), 'utf8')
const [, recipes = ''] = page.split('## Recipes')

/** The settings of each recipe, by its heading. */
async function settingsOf(heading: string): Promise<Settings> {
  const [, text = ''] = recipes.split(`### ${heading}\n`)
  const [, config] =
    /```ts\nimport \{ defineConfig \} from '@switchyard\/balancer'\n\nexport default defineConfig\((\{[^`]*\})\)\n```/.exec(text) ?? []
  const given = new Function(`return (${config?.replaceAll('/etc/letsencrypt/live', certificates)})`)() as BalancerConfig
  await loadTlsFor(given)
  return resolveSettings(given, { folder, env: {} })
}

for (const [heading, spread] of [
  ['A browser app', []],
  ['A gRPC service', ['no', 'yes', 'no']],
  ['Both on one port', ['yes', 'yes', 'no']],
] as const)
  test(heading, async () => {
    const settings = await settingsOf(heading)
    assert.ok(settings.listen?.[0]?.http2)
    assert.equal(spreadWarnings(settings), [])
    assert.equal(
      settings.routes.map((route) => spreadText(route, settings)),
      spread,
    )
  })

test.run()
