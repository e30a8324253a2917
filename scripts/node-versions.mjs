// The versions of Node that the tests run on beside the installed one: exact, from npm's package `node`, kept in the checkout.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './workspace.mjs'

/** By major number. */
export const versions = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' }

const CACHE = join(root, '.switchyard', 'node')

/** The path of that version's executable, fetched if it is missing; undefined if it cannot be fetched. */
export async function executableOf(version) {
  if (versionOf(process.execPath) === version) return process.execPath
  const folder = join(CACHE, version)
  const executable = join(folder, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (versionOf(executable) === version) return executable
  mkdirSync(folder, { recursive: true })
  // The package's install script fetches the executable for this machine.
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }))
  await run('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--loglevel', 'error', `node@${version}`], {
    cwd: folder,
    shell: process.platform === 'win32',
  })
  return versionOf(executable) === version ? executable : undefined
}

function versionOf(executable) {
  if (!existsSync(executable)) return undefined
  return spawnSync(executable, ['--version'], { encoding: 'utf8' }).stdout?.trim().slice(1)
}

/**
 * Reads the command line: major numbers name versions, all if there are none; other words are names of test files.
 * @param {readonly string[]} words
 * @returns {{ chosen: string[], names: string[], unknown: string[] }}
 */
export function choiceOf(words) {
  const numbers = words.filter((word) => /^\d+$/.test(word))
  const unknown = numbers.filter((word) => !(word in versions))
  const chosen = Object.entries(versions).filter(([major]) => numbers.length === 0 || numbers.includes(major))
  return { chosen: chosen.map(([, version]) => version), names: words.filter((word) => !/^\d+$/.test(word)), unknown }
}
