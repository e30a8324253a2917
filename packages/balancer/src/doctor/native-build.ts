// `balancer doctor --build`: compiles the native module from the sources in the package, with the machine's compiler.

import { accessSync, constants, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Check } from './check.ts'

export interface Builder {
  /** The file that it writes. */
  readonly target: string
  /** Why nothing can be compiled here. */
  reasonAgainst(): string | undefined
  /** Returns the output of the compiler if it fails. Throws the system's error. */
  build(): string | undefined
}

const NAME = 'build'
/** The first errors of a compiler explain the rest. */
const MAX_LINES = 12

/** Says where the module was written, or why not. */
export async function buildNative(builder?: Builder): Promise<Check> {
  const { target, reasonAgainst, build } = builder ?? (await import('@switchyard/handoff/build'))
  const reason = reasonAgainst()
  if (reason !== undefined)
    return { name: NAME, state: 'fault', found: `the native module can't be compiled: ${reason}`, advice: adviceFor(reason) }
  const startMs = performance.now()
  try {
    // A compiler takes its time before it fails to write.
    mkdirSync(dirname(target), { recursive: true })
    accessSync(dirname(target), constants.W_OK)
    const output = build()
    if (output === undefined) {
      const seconds = Math.max(1, Math.round((performance.now() - startMs) / 1000))
      return { name: NAME, state: 'ok', found: `the native module was compiled in ${seconds} s and written to ${target}` }
    }
    const lines = output.trim().split('\n')
    const shown = lines.slice(0, MAX_LINES)
    if (lines.length > MAX_LINES) shown.push(`and ${lines.length - MAX_LINES} more lines`)
    const advice = 'It needs g++ 10 or newer, and the headers of this version of Node. CXX names another compiler, NODEDIR other headers.'
    return { name: NAME, state: 'fault', found: ['the compiler failed:', ...shown].join('\n'), advice }
  } catch (error) {
    const found = `the native module can't be written to ${target}: ${(error as Error).message}`
    return { name: NAME, state: 'fault', found, advice: `Run the command as a user that may write to ${dirname(target)}.` }
  }
}

function adviceFor(reason: string): string {
  if (reason.includes('compiler'))
    return "Install one ('apt install g++', 'apk add g++', 'dnf install gcc-c++'), and run the command again."
  if (reason.includes('headers'))
    return "They come with Node's own archives, beside bin/node. For a package of a distribution install its headers (libnode-dev, nodejs-devel)."
  return 'The balancer works without it, over the portable channel.'
}
