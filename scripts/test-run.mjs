// Runs test files on one Node, each in a process of its own, and says how each went.

import { faultOf } from './test-files.mjs'
import { runTestFile } from './test-process.mjs'

const FILE_TIMEOUT_MS = 15 * 60_000
// Tests without sockets, processes or clocks: two of them may share the machine.
const PURE = /^packages\/routing\//

/** Resolves with the counts of all files. `node`: the executable, that of this process if left out. */
export async function runTests(files, node) {
  const result = { passed: 0, failed: 0 }
  const inTurn = async (some) => {
    for (const file of some) await runOne(file, node, result)
  }
  const pure = files.filter((file) => PURE.test(file))
  await Promise.all([0, 1].map((lane) => inTurn(pure.filter((_, index) => index % 2 === lane))))
  await inTurn(files.filter((file) => !PURE.test(file)))
  return result
}

async function runOne(file, node, result) {
  const fault = faultOf(file)
  if (fault) {
    console.log(`FAIL  ${file}  ${fault}`)
    result.failed += 1
    return
  }
  const { passed, failed, faults, output, seconds } = await runTestFile(file, { timeoutMs: FILE_TIMEOUT_MS, node })
  result.passed += passed
  result.failed += failed
  if (failed > 0) console.log(output)
  console.log(`${failed > 0 ? 'FAIL' : 'ok  '}  ${[file, ...faults].join('  ')}  ${passed}/${passed + failed}  ${seconds.toFixed(1)} s`)
}
