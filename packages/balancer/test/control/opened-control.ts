// Opens control sockets for tests: each records its operations, and closes at the end of the suite.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd } from '../../../../test/suite.ts'
import { ControlClient } from '../../src/control/control-client.ts'
import type { Progress } from '../../src/control/control-protocol.ts'
import { type ControlOptions, type ControlServer, openControl } from '../../src/control/control-server.ts'
import { LogRing } from '../../src/control/log-ring.ts'
import type { OperationResult, Operations } from '../../src/operations.ts'
import { statusOf } from '../support/fake-balancer.ts'

const folder = mkdtempSync(join(tmpdir(), 'control-'))
atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))

let sockets = 0

export interface Opened {
  path: string
  client: ControlClient
  server: ControlServer
  calls: string[]
  logs: LogRing
  watchers: ((progress: Progress) => void)[]
}

/** A control socket that records the operations in `calls`; `act` gives their results. */
export async function opened(
  act: (call: string) => Promise<OperationResult> = async () => ({ message: 'done' }),
  options: Partial<ControlOptions> = {},
): Promise<Opened> {
  const path = join(folder, `${sockets++}.sock`)
  const calls: string[] = []
  const watchers: ((progress: Progress) => void)[] = []
  const call = (...words: unknown[]): Promise<OperationResult> => {
    calls.push(words.map((word) => (typeof word === 'object' ? JSON.stringify(word) : String(word))).join(' '))
    return act(String(words[0]))
  }
  const operations: Operations = {
    status: () => statusOf(),
    reload: (_settings, pool) => call('reload', pool),
    rollback: () => call('rollback'),
    scale: (pool, change) => call('scale', pool, change),
    drainSlot: ({ pool, slot }) => call('drain', pool, slot),
    restartSlot: ({ pool, slot }) => call('restart', pool, slot),
    upgrade: () => call('upgrade'),
    stop: async (reason) => void (await call('stop', reason)),
    stopNow: (reason) => void calls.push(`stopNow ${reason}`),
  }
  const logs = new LogRing()
  const watchProgress: ControlOptions['watchProgress'] = (_pool, onProgress) => {
    watchers.push(onProgress)
    return {
      explain: async () => onProgress({ kind: 'output', message: 'SyntaxError' }),
      stop: () => void watchers.splice(watchers.indexOf(onProgress), 1),
    }
  }
  const server = await openControl({ path, name: 'shop', version: '1.2.3', operations, watchProgress, logs, ...options })
  atSuiteEnd(() => server.close())
  return { path, client: new ControlClient(path), server, calls, logs, watchers }
}

export async function rejects(body: () => Promise<unknown>, reason: RegExp): Promise<void> {
  const error = await body().then(
    () => undefined,
    (error: Error) => error,
  )
  assert.match(`${error?.message}`, reason)
}

export async function linesOf<T>(lines: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const line of lines) all.push(line)
  return all
}
