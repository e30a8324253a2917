// The run `start`: the time from the command to the first answer, and the memory of the primary, beside a bare node:cluster with the same app.

import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../test/support/ports.ts'
import { startChild } from './children.ts'
import type { StartContender } from './contenders.ts'

export interface StartSample {
  readonly contender: string
  readonly round: number
  readonly firstAnswerMs: number
  /** Proportional set size of the primary, `SETTLE_MS` after the first answer. */
  readonly primaryMb: number
}

const START_TIMEOUT_MS = 60_000
/** A prober that asks more often takes CPU from what it waits for. */
const PROBE_EVERY_MS = 4
const SETTLE_MS = 3_000

/** The contenders start in turn, each `rounds` times. `progress` gets a line for each round. */
export async function measureStart(
  { contenders, rounds }: { contenders: readonly StartContender[]; rounds: number },
  progress: (line: string) => void,
): Promise<StartSample[]> {
  const samples: StartSample[] = []
  for (let round = 1; round <= rounds; round++) {
    for (const contender of contenders) samples.push(await startOnce(contender, round))
    const last = samples.slice(-contenders.length)
    progress(`round ${round}: ${last.map(({ contender, firstAnswerMs }) => `${contender} ${firstAnswerMs.toFixed(0)} ms`).join(', ')}`)
  }
  return samples
}

async function startOnce({ name, args }: StartContender, round: number): Promise<StartSample> {
  const port = await freePort()
  const startedAt = performance.now()
  const child = startChild(process.execPath, args(port), { PORT: `${port}` })
  try {
    while (!(await isAnswered(port))) {
      if (child.process.exitCode !== null) throw new Error(`${name} ended while starting:\n${child.output()}`)
      if (performance.now() - startedAt > START_TIMEOUT_MS) throw new Error(`${name} does not answer:\n${child.output()}`)
      await delay(PROBE_EVERY_MS)
    }
    const firstAnswerMs = performance.now() - startedAt
    await delay(SETTLE_MS)
    return { contender: name, round, firstAnswerMs, primaryMb: proportionalMb(child.pid) }
  } finally {
    await child.stop()
  }
}

/** One request on a connection of its own. False: the port is not open yet, or the answer is not a 200. */
function isAnswered(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1')
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text.startsWith('HTTP/1.1 200')))
    socket.write('GET / HTTP/1.1\r\nHost: start\r\nConnection: close\r\n\r\n')
  })
}

function proportionalMb(pid: number): number {
  const [, kb = 'NaN'] = /^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')) ?? []
  return Number(kb) / 1024
}
