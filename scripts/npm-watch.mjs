// Notices that the npm that runs this script has ended. npm starts a script through a shell, passes signals to that shell only, and passes
// none when it is killed. A script that was not started by npm may outlive its parent, as with `nohup`.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const LOOK_MS = 250

const parent = process.ppid
// Without a shell in between, the parent is npm itself, and npm's own parent does not matter.
const grandparent = isShell(parent) ? parentOf(parent) : undefined
const isRunByNpm = process.env.npm_lifecycle_event !== undefined

/** Has the npm, pnpm or yarn that started this process ended? */
export function hasNpmEnded() {
  return isRunByNpm && (process.ppid !== parent || (grandparent !== undefined && parentOf(parent) !== grandparent))
}

/** Calls back once when it ends. Does not keep the process alive. */
export function onNpmEnd(listener) {
  const timer = setInterval(() => {
    if (!hasNpmEnded()) return
    clearInterval(timer)
    listener()
  }, LOOK_MS)
  timer.unref()
}

function isShell(pid) {
  return /^\S*\b(?:ba|da|k|z)?sh -c /.test(commandOf(pid))
}

function commandOf(pid) {
  if (process.platform !== 'linux') return ps(pid, 'args=')
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** Undefined: the process has ended. */
function parentOf(pid) {
  if (process.platform !== 'linux') return Number(ps(pid, 'ppid=')) || undefined
  try {
    // The name stands in parentheses, and may contain anything.
    const [, found] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')
    return Number(found)
  } catch {
    return undefined
  }
}

function ps(pid, column) {
  return process.platform === 'win32' ? '' : spawnSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8' }).stdout.trim()
}
