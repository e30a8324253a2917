// npm start: installs and builds what is missing, then runs the demo. What follows `--` goes to the balancer: npm start -- --listen 8080

import { spawn } from 'node:child_process'
import { ensureSystem } from './system.mjs'
import { build, exitCode, root } from './workspace.mjs'

const SAME_SIGNAL_MS = 300

// Without a compiler the build goes on, and the balancer says what it lacks.
if (process.platform === 'linux') await ensureSystem('build')
const code = await build()
if (code !== 0) process.exit(code)

// In a process group of its own: the terminal's Ctrl-C and npm's copy of it both come here, and one of them is passed on.
const balancer = spawn(
  process.execPath,
  ['packages/balancer/bin/balancer.js', 'start', '--config', 'packages/examples/demo/balancer.config.ts', ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit', detached: true },
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
