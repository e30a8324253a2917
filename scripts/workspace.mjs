// The checkout: finds its root, installs its packages, builds it. Node built-ins only, because it runs before anything is installed.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Exit code of a child as a shell would give it. */
export function exitCode(code, signal) {
  return code ?? 128 + (constants.signals[signal] ?? 0)
}

/** Runs a command in the root with the terminal as its own; resolves with its exit code. */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options })
    child.once('error', (error) => {
      console.error(`${command}: ${error.message}`)
      resolve(127)
    })
    child.once('close', (code, signal) => resolve(exitCode(code, signal)))
  })
}

/** Installs exactly what the lockfile says, unless that is done already. */
export async function install() {
  const stamp = join(root, 'node_modules/.installed')
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return 0
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  console.log(`installing packages with ${packageManager}`)
  const code = await run('npx', ['--yes', packageManager, 'install', '--frozen-lockfile', '--config.confirmModulesPurge=false'], {
    shell: process.platform === 'win32',
  })
  if (code === 0) writeFileSync(stamp, wanted)
  return code
}

/** Installs, builds the native module where there is a compiler, the TypeScript projects, and the bundles. Quick when nothing has changed. */
export async function build() {
  const steps = [
    install,
    () => run(process.execPath, ['packages/handoff/native/build.mjs']),
    () => run(process.execPath, ['node_modules/typescript/bin/tsc', '-b']),
    () => run(process.execPath, ['scripts/bundle.mjs']),
  ]
  for (const step of steps) {
    const code = await step()
    if (code !== 0) return code
  }
  return 0
}
