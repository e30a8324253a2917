// `balancer doctor`: prints what could keep a balancer from working on this machine, and what to do, as a list or as JSON.

import { resolve } from 'node:path'
import { findConfig } from '../../config/load-config.ts'
import { type Check, worstOf } from '../../doctor/check.ts'
import { examine } from '../../doctor/examination.ts'
import { buildNative } from '../../doctor/native-build.ts'
import { errorCodes } from '../../errors.ts'
import { readSettings } from '../command-settings.ts'
import { counted } from '../format.ts'
import { type CliIo, ownVersion } from '../io.ts'
import { printable, printableJson } from '../printable.ts'

export interface DoctorOptions {
  config?: string | undefined
  environment?: string | undefined
  json?: boolean | undefined
  /** Compile the native module first. */
  build?: boolean | undefined
}

const STATE_WIDTH = 9
const LABELS = { ok: 'ok', warning: 'WARNING', fault: 'FAULT' } as const

/** Resolves with 0 if there is no fault, otherwise with the exit code of ERR_SETUP. */
export async function doctor({ config, environment, json, build }: DoctorOptions, io: CliIo): Promise<number> {
  if (build === true) io.stderr.write('compiling the native module; this can take a minute…\n')
  const built = build === true ? [await buildNative()] : []
  const file = config === undefined ? findConfig(io.cwd) : resolve(io.cwd, config)
  const source = { file, read: () => readSettings({ config, environment }, io) }
  const checks = [...built, ...(await examine({ config: source, folder: io.cwd, env: io.env }))]
  const state = worstOf(checks.map((check) => check.state))
  const { platform, arch } = process
  const report = { version: ownVersion(), node: process.versions.node, platform, arch, state, checks }
  io.stdout.write(json === true ? `${printableJson(report, 2)}\n` : printable(describe(report.version, checks)))
  return state === 'fault' ? errorCodes.ERR_SETUP.exitCode : 0
}

function describe(version: string, checks: readonly Check[]): string {
  const nameWidth = Math.max(...checks.map(({ name }) => name.length)) + 2
  const indent = ' '.repeat(STATE_WIDTH + nameWidth)
  const lines = checks.flatMap(({ name, state, found, advice }) => [
    `${LABELS[state].padEnd(STATE_WIDTH)}${name.padEnd(nameWidth)}${indented(found, indent)}`,
    ...(advice === undefined ? [] : [`${indent}-> ${indented(advice, `${indent}   `)}`]),
  ])
  return [
    `balancer ${version} on Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    '',
    ...lines,
    '',
    conclusion(checks),
    '',
  ].join('\n')
}

function indented(text: string, indent: string): string {
  return text.replaceAll('\n', `\n${indent}`)
}

function conclusion(checks: readonly Check[]): string {
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length
  const [faults, warnings] = [count('fault'), count('warning')]
  if (faults + warnings === 0) return 'No faults.'
  return `${faults === 0 ? 'No faults' : counted(faults, 'fault')}, ${warnings === 0 ? 'no warnings' : counted(warnings, 'warning')}.`
}
