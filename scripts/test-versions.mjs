// npm run test:versions [-- 22 24 name…]: builds once, and runs the test files on each version of Node. The last line is the result of all.

import { choiceOf, executableOf, versions } from './node-versions.mjs'
import { ensureSystem } from './system.mjs'
import { findTestFiles } from './test-files.mjs'
import { killTestProcesses } from './test-process.mjs'
import { runTests } from './test-run.mjs'
import { build } from './workspace.mjs'

const { chosen, names, unknown } = choiceOf(process.argv.slice(2))
if (unknown.length > 0) {
  console.error(`no version of Node is chosen by ${unknown.join(', ')}: there are ${Object.keys(versions).join(', ')}`)
  process.exit(2)
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    killTestProcesses()
    process.exit(130)
  })
}

const total = { passed: 0, failed: 0 }
const table = []
// One build serves all: Node-API and libuv keep their binary interfaces over these versions.
if (!(await ensureSystem('build', 'test')) || (await build()) !== 0) {
  console.log('FAIL  build')
  total.failed += 1
} else {
  const files = findTestFiles('test', names)
  if (files.length === 0) console.log(`no test file is named like: ${names.join(' ')}`)
  for (const version of chosen) {
    console.log(`node ${version}`)
    const executable = await executableOf(version)
    if (executable === undefined) console.log(`FAIL  node ${version} could not be fetched: npm did not install its package \`node\``)
    const { passed, failed } = executable === undefined ? { passed: 0, failed: 1 } : await runTests(files, executable)
    total.passed += passed
    total.failed += files.length === 0 ? 1 : failed
    table.push(`node ${version}: ${executable === undefined ? "can't be had" : `${passed} passed, ${failed} failed`}`)
  }
}
for (const line of table) console.log(line)
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
