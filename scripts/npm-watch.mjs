// Notices that the npm which runs this script has ended. npm starts a script by a shell, passes signals to that shell only, and passes none when it is killed:
// the script itself hears nothing. A script that was not started by npm may outlive its parent, as `nohup` means.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const LOOK_MS = 250

const parent = process.ppid
// Where no shell is between, the parent is npm itself, and its own parent is of no interest.
const grandparent = isShell(parent) ? parentOf(parent) : undefined
const isRunByNpm = process.env.npm_lifecycle_event !== undefined

/** Has the npm, pnpm or yarn that started this process ended? */
export function hasNpmEnded() {
  return isRunByNpm && (process.ppid !== parent || (grandparent !== undefined && parentOf(parent) !== grandparent))
}

/** Calls back once when it ends. Keeps no process alive. */
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

/** Undefined: it has ended. */
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
