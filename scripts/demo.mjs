// Runs the demo of a built checkout. Passes signals on, and stops it when the npm that runs it has ended.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { httpsVariables } from './demo-https.mjs'
import { onNpmEnd } from './npm-watch.mjs'
import { exitCode, root } from './workspace.mjs'

const SAME_SIGNAL_MS = 300

const args = process.argv.slice(2)
const { variables, notice } = await httpsVariables(args, process.env, join(root, '.switchyard', 'demo'))
if (notice !== undefined) console.error(notice)

// In its own process group: the terminal's Ctrl-C and npm's copy of it both come here, and one of them is passed on.
const balancer = spawn(
  process.execPath,
  ['packages/balancer/bin/balancer.js', 'start', '--config', 'packages/examples/demo/balancer.config.ts', ...args],
  { cwd: root, stdio: 'inherit', detached: true, env: { ...process.env, ...variables } },
)
balancer.once('error', (error) => {
  console.error(error.message)
  process.exitCode = 1
})
balancer.once('close', (status, signal) => process.exit(exitCode(status, signal)))

let lastAt = Number.NEGATIVE_INFINITY
for (const [received, sent] of [
  ['SIGINT', 'SIGINT'],
  ['SIGTERM', 'SIGTERM'],
  ['SIGHUP', 'SIGTERM'],
]) {
  process.on(received, () => {
    const now = performance.now()
    if (now - lastAt > SAME_SIGNAL_MS) balancer.kill(sent)
    lastAt = now
  })
}

onNpmEnd(() => balancer.kill('SIGTERM'))
