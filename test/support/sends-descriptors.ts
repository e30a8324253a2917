// A program that sends descriptors over a socket: Node itself sends only those of its own handles.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { atSuiteEnd } from '../suite.ts'

export type SentKind = 'file' | 'listener' | 'udp' | 'stream'

/** Compiles it and returns its path. The suite removes it. */
export function descriptorSender(): string {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-sender-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
  const program = join(folder, 'sends-descriptors')
  execFileSync(process.env.CXX ?? 'g++', ['-o', program, fileURLToPath(new URL('sends-descriptors.cc', import.meta.url))])
  return program
}

/** Sends one message over `socket`, with `count` descriptors of a kind. */
export function sendDescriptors(program: string, socket: number, bytes: Buffer, kind: SentKind, count: number): void {
  execFileSync(program, [bytes.toString('hex'), kind, `${count}`], { stdio: ['ignore', 'inherit', 'inherit', socket] })
}
