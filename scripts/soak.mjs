// npm run soak [-- --seed N --channel portable name…]: the long forms of the tests, one file at a time. The seed is printed, and repeats the run.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { ensureSystem } from './system.mjs'
import { faultOf, findTestFiles } from './test-files.mjs'
import { killTestProcesses, runTestFile } from './test-process.mjs'
import { build } from './workspace.mjs'

const FILE_TIMEOUT_MS = 45 * 60_000

const { values, positionals } = parseArgs({ options: { seed: { type: 'string' }, channel: { type: 'string' } }, allowPositionals: true })
const seed = Number(values.seed ?? randomInt(2 ** 31))
if (!Number.isSafeInteger(seed)) {
  console.error(`--seed: expected a whole number, got ${values.seed}`)
  process.exit(2)
}
const channel = values.channel === undefined ? {} : { SWITCHYARD_CHANNEL: values.channel }
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    killTestProcesses()
    process.exit(130)
  })
}

if (!(await ensureSystem('build', 'test', 'soak')) || (await build()) !== 0) process.exit(1)
const files = findTestFiles('soak', positionals)
let passed = 0
let failed = files.length === 0 ? 1 : 0
console.log(`seed ${seed}`)
for (const file of files) {
  const fault = faultOf(file)
  console.log(`${file}${fault ? `  ${fault}` : ''}`)
  if (fault) {
    failed += 1
    continue
  }
  const outcome = await runTestFile(file, { timeoutMs: FILE_TIMEOUT_MS, env: { SEED: String(seed), ...channel }, live: true })
  passed += outcome.passed
  failed += outcome.failed
  console.log(
    `${outcome.failed > 0 ? 'FAIL' : 'ok  '}  ${[file, ...outcome.faults].join('  ')}  ${outcome.seconds.toFixed(0)} s  seed ${seed}`,
  )
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
