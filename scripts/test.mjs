// npm test [-- name…]: builds, checks the style, and runs every test file in a process of its own. Its last line is the result.

import { ensureSystem } from './system.mjs'
import { faultOf, findTestFiles } from './test-files.mjs'
import { killTestProcesses, runTestFile } from './test-process.mjs'
import { build, run } from './workspace.mjs'

const FILE_TIMEOUT_MS = 15 * 60_000
// Tests without sockets, processes or clocks: two of them may share the machine.
const PURE = /^packages\/routing\//
// What connections go over is no matter to their users: these run over both channels, unless SWITCHYARD_CHANNEL asks for one.
const BOTH_CHANNELS = /\/e2e\/(bad-input|half-heads|kills|late-binding|limits|listeners|steering|stickiness|uploads)\.|\/socket\.io-chat\./

// Elsewhere there is nothing to compile.
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
  // Files that are asked for by name run in any case: what does not build may be elsewhere.
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
  const pure = files.filter((file) => PURE.test(file))
  const lanes = [pure.filter((_, index) => index % 2 === 0), pure.filter((_, index) => index % 2 === 1)]
  await Promise.all(lanes.map(runInTurn))
  await runInTurn(files.filter((file) => !PURE.test(file)))
}

async function step(title, body) {
  if (await body()) return true
  console.log(`FAIL  ${title}`)
  result.failed += 1
  return false
}

async function runInTurn(files) {
  for (const file of files) {
    const fault = faultOf(file)
    if (fault) {
      console.log(`FAIL  ${file}  ${fault}`)
      result.failed += 1
      continue
    }
    await runOnce(file)
    if (BOTH_CHANNELS.test(file) && process.env.SWITCHYARD_CHANNEL === undefined) await runOnce(file, 'portable')
  }
}

async function runOnce(file, channel) {
  const env = channel === undefined ? {} : { SWITCHYARD_CHANNEL: channel }
  const { passed, failed, faults, output, seconds } = await runTestFile(file, { timeoutMs: FILE_TIMEOUT_MS, env })
  result.passed += passed
  result.failed += failed
  if (failed > 0) console.log(output)
  const what = [file, ...(channel === undefined ? [] : [`(${channel})`]), ...faults].join('  ')
  console.log(`${failed > 0 ? 'FAIL' : 'ok  '}  ${what}  ${passed}/${passed + failed}  ${seconds.toFixed(1)} s`)
}
