// Runs test files on one Node, each in its own process, and reports each result.

import { faultOf } from './test-files.mjs'
import { runTestFile } from './test-process.mjs'

const FILE_TIMEOUT_MS = 15 * 60_000
// Files that start balancers with their workers mostly wait, so two of them run at once with a third file beside them.
const STARTS_BALANCERS = /\/e2e\/|^packages\/examples\//
// Files that measure time, have a browser that must reconnect in time, or use the whole machine, run alone.
const ALONE = /\/(chaos|late-binding|pinned|reload-load|saturated)\./
// The channel does not matter to users of connections: these files run over both channels, unless SWITCHYARD_CHANNEL names one.
const BOTH_CHANNELS =
  /\/e2e\/(app-life|bad-input|chaos|half-heads|kills|late-binding|limits|listen|listen-changes|listen-walk|listeners|reload-load|saturated|steering|stickiness|uploads)\.|\/socket\.io-chat\./

/** Resolves with the counts of all files. `node`: the executable, that of this process if left out. */
export async function runTests(files, node) {
  const result = { passed: 0, failed: 0 }
  const lane = async (...queues) => {
    for (const queue of queues) for (let run = queue.shift(); run !== undefined; run = queue.shift()) await runOnce(run, node, result)
  }
  const alone = runsOf(files.filter((file) => ALONE.test(file)))
  const together = files.filter((file) => !ALONE.test(file))
  const starting = runsOf(together.filter((file) => STARTS_BALANCERS.test(file)))
  const others = runsOf(together.filter((file) => !STARTS_BALANCERS.test(file)))
  await Promise.all([lane(starting, others), lane(starting, others), lane(others, starting)])
  await lane(alone)
  return result
}

/** Each file once, or once for each channel. */
function runsOf(files) {
  const bothChannels = (file) => BOTH_CHANNELS.test(file) && process.env.SWITCHYARD_CHANNEL === undefined
  return files.flatMap((file) => [{ file }, ...(bothChannels(file) ? [{ file, channel: 'portable' }] : [])])
}

async function runOnce({ file, channel }, node, result) {
  const fault = faultOf(file)
  if (fault) {
    console.log(`FAIL  ${file}  ${fault}`)
    result.failed += 1
    return
  }
  const env = channel === undefined ? {} : { SWITCHYARD_CHANNEL: channel }
  const { passed, failed, faults, output, seconds } = await runTestFile(file, { timeoutMs: FILE_TIMEOUT_MS, node, env })
  result.passed += passed
  result.failed += failed
  if (failed > 0) console.log(output)
  const what = [file, ...(channel === undefined ? [] : [`(${channel})`]), ...faults].join('  ')
  console.log(`${failed > 0 ? 'FAIL' : 'ok  '}  ${what}  ${passed}/${passed + failed}  ${seconds.toFixed(1)} s`)
}
