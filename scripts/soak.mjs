// npm run soak [-- options name…]: the long forms of the tests, one file at a time. The seed is printed, and repeats the run.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { ensureSystem } from './system.mjs'
import { faultOf, findTestFiles } from './test-files.mjs'
import { killTestProcesses, runTestFile } from './test-process.mjs'
import { build } from './workspace.mjs'

const FILE_TIMEOUT_MS = 60 * 60_000
const USAGE = `npm run soak -- [options] [name…]

  name             only files whose path contains it
  --seed N         repeats a run (drawn)
  --channel NAME   native or portable (native where it is built)
  --help           this text
`
const OPTIONS = { seed: { type: 'string' }, channel: { type: 'string' }, help: { type: 'boolean' } }

const { values, positionals } = readArguments()
const seed = Number(values.seed ?? randomInt(2 ** 31))
if (values.help) {
  console.log(USAGE)
  process.exit()
}
if (!Number.isSafeInteger(seed)) refuse(`--seed: expected a whole number, got ${values.seed}`)
if (!['native', 'portable', undefined].includes(values.channel)) refuse(`--channel: expected native or portable, got ${values.channel}`)
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

function readArguments() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true })
  } catch (error) {
    refuse(error.message)
  }
}

function refuse(fault) {
  console.error(`${fault}\n\n${USAGE}`)
  process.exit(2)
}
