// Runs `balancer start` and other commands in the process of the test, around a balancer that does nothing.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atSuiteEnd } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { main } from '../../src/cli/main.ts'
import { type FakeBalancer, type FakeIo, fakeIo } from '../support/fake-balancer.ts'

export function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-control-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

export interface Running {
  folder: string
  io: FakeIo
  balancer: FakeBalancer
  exit: Promise<number>
  end(): Promise<void>
}

/** A `balancer start` that is ready. */
export async function running(
  files: Record<string, string> = { 'server.js': '' },
  args: string[] = ['server.js'],
  changes: Partial<FakeIo> = {},
): Promise<Running> {
  const folder = folderWith(files)
  const io = Object.assign(fakeIo(folder), changes)
  const exit = main(['start', '--admin', 'off', '--pretty', ...args], io)
  const balancer = await Promise.race([io.balancer, exit.then((code) => Promise.reject(new Error(`exit code ${code}: ${io.stderr.text}`)))])
  balancer.started.resolve()
  await until(() => io.stdout.text.includes('ready:'))
  const end = async (): Promise<void> => {
    balancer.stopped.resolve()
    io.signals.emit('SIGTERM', 'SIGTERM')
    await exit
  }
  return { folder, io, balancer, exit, end }
}

export interface Answer {
  code: number
  out: string
  err: string
}

/** Runs another command. */
export async function command(folder: string, args: string[], changes: Partial<FakeIo> = {}): Promise<Answer> {
  const io = Object.assign(fakeIo(folder), changes)
  const code = await main(args, io)
  return { code, out: io.stdout.text, err: io.stderr.text }
}

export const jsonLines = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
