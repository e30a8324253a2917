// npm test [-- name…]: builds, checks the style, and runs every test file in its own process. The last line is the result.

import { ensureSystem } from './system.mjs'
import { findTestFiles } from './test-files.mjs'
import { killTestProcesses } from './test-process.mjs'
import { runTests } from './test-run.mjs'
import { build, run } from './workspace.mjs'

// On other systems there is nothing to compile.
const builds = process.platform === 'linux' ? ['build'] : []
const names = process.argv.slice(2)
const result = { passed: 0, failed: 0 }

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    killTestProcesses()
    process.exit(130)
  })
}

await main()
console.log(`${result.passed} passed, ${result.failed} failed`)
process.exitCode = result.failed > 0 ? 1 : 0

async function main() {
  if (!(await step('machine', () => ensureSystem(...builds, 'test')))) return
  // Files named on the command line run in any case: a fault of the build may be elsewhere.
  if (!(await step('build', async () => (await build()) === 0)) && names.length === 0) return
  await step(
    'types of the tests',
    async () => (await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.tests.json'])) === 0,
  )
  if (names.length === 0)
    await step('style', async () => (await run(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'check', '.'])) === 0)

  const files = findTestFiles('test', names)
  if (files.length === 0) {
    console.log(`no test file is named like: ${names.join(' ')}`)
    result.failed += 1
  }
  const { passed, failed } = await runTests(files)
  result.passed += passed
  result.failed += failed
}

async function step(title, body) {
  if (await body()) return true
  console.log(`FAIL  ${title}`)
  result.failed += 1
  return false
}
