// One test file in its own process and process group: its output, its counts, its time limit, and the processes that it left running.

import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname } from 'node:path'
import { root } from './workspace.mjs'

const MARK = 'SWITCHYARD_TEST_RUN'
const LEFT_GRACE_MS = 8_000

const alive = new Map()

/**
 * Runs a file; resolves with its counts, the faults of the file as a whole, its output and its time. Processes that it started may take
 * `leftGraceMs` to end. `node`: the executable that runs it, and that it finds when it starts `node`.
 */
export async function runTestFile(file, { timeoutMs, env = {}, live = false, leftGraceMs = LEFT_GRACE_MS, node = process.execPath }) {
  const mark = randomUUID()
  const startedAt = performance.now()
  const child = spawn(node, ['--import', 'tsx', file], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}`, SWITCHYARD_CHECKS: '1', ...env, [MARK]: mark },
  })
  alive.set(child.pid, mark)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
      if (live) process.stdout.write(text)
    })
  }

  const faults = []
  const bound = setTimeout(() => {
    faults.push(`took longer than its bound of ${timeoutMs / 1000} s`)
    killAll(child.pid, mark)
  }, timeoutMs)
  const ended = new Promise((resolve) => child.once('close', resolve))
  const [code, signal] = await new Promise((resolve) => child.once('exit', (...how) => resolve(how)))
  clearTimeout(bound)
  const left = await leftRunning(child.pid, mark, leftGraceMs)
  if (left.length > 0 && faults.length === 0) faults.push(`left running: ${left.map((each) => each.command).join(' | ')}`)
  killAll(child.pid, mark)
  await ended
  alive.delete(child.pid)

  const counts = readCounts(output)
  if (counts === undefined) faults.push('printed no counts')
  else if (counts.total === 0) faults.push('has no tests')
  else if (counts.skipped > 0) faults.push(`skips ${counts.skipped}`)
  if (code !== 0 && faults.length === 0 && counts?.passed === counts?.total)
    faults.push(signal ? `killed by ${signal}` : `exit code ${code}`)
  const { passed, total } = counts ?? { passed: 0, total: 0 }
  const failed = total - passed + (counts?.skipped ?? 0) || (faults.length > 0 || code !== 0 ? 1 : 0)
  return { file, passed, failed, faults, output, seconds: (performance.now() - startedAt) / 1000 }
}

/** Kills the processes of every file that still runs. */
export function killTestProcesses() {
  for (const [group, mark] of alive) killAll(group, mark)
}

function readCounts(output) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  const plain = output.replace(/\u001b\[[0-9;]*m/g, '')
  const match = [...plain.matchAll(/^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)$/gm)].at(-1)
  return match && { total: Number(match[1]), passed: Number(match[2]), skipped: Number(match[3]) }
}

async function leftRunning(group, mark, graceMs) {
  const deadline = performance.now() + graceMs
  for (;;) {
    const left = processesOf(group, mark)
    if (left.length === 0 || performance.now() > deadline) return left
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Processes in the group, or descendants in another group: those carry the mark in their environment. */
function processesOf(group, mark) {
  if (process.platform !== 'linux') {
    try {
      process.kill(-group, 0)
      return [{ pid: -group, command: `process group ${group}` }]
    } catch {
      return []
    }
  }
  const found = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (state === 'Z' || state === 'X') continue
      const ours = Number(pgrp) === group || readFileSync(`/proc/${entry}/environ`, 'utf8').includes(`${MARK}=${mark}`)
      if (ours) found.push({ pid: Number(entry), command: readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() })
    } catch {
      // The process has ended, or belongs to another user.
    }
  }
  return found
}

function killAll(group, mark) {
  for (const { pid } of [{ pid: -group }, ...processesOf(group, mark)]) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // The process has ended already.
    }
  }
}
