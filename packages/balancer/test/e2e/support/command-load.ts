// Load from wrk and ab, which count their failed requests themselves.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { patience } from '../../../../../test/support/patience.ts'
import { spawnLogged } from '../../../../../test/support/spawn.ts'
import type { LoadRun } from './http-load.ts'
import { temporaryFolder } from './running-balancer.ts'

const ROUND_S = 3
const BODY = 'switchyard '.repeat(100)

/** A wrk script that mixes GET and POST, and checks the answers. */
const SCRIPT = `local body = ${JSON.stringify(BODY)}
local count = 0
wrk.headers['Content-Type'] = 'text/plain'
request = function()
  count = count + 1
  if count % 4 == 0 then return wrk.format('POST', '/', nil, body) end
  if count % 8 == 1 then return wrk.format('GET', '/heavy/', nil, nil) end
  return wrk.format('GET', '/', nil, nil)
end
response = function(status, headers, text)
  if status ~= 200 or (#text ~= 2 and #text ~= 64) or not headers['X-Release'] then wrong = (wrong or 0) + 1 end
end
local threads = {}
setup = function(thread) table.insert(threads, thread) end
done = function(summary)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + (thread:get('wrong') or 0) end
  local errors = summary.errors
  io.write(string.format('report: {"requests": %d, "faults": {"connect": %d, "read": %d, "write": %d, "status": %d, "timed out": %d, "wrong answer": %d}}\\n',
    summary.requests, errors.connect, errors.read, errors.write, errors.status, errors.timeout, wrong))
end
`

/** Runs wrk again and again until the run is over. `new`: one connection for each request. Never rejects. */
export async function runWrk(run: LoadRun, kind: 'kept' | 'new', connections: number): Promise<void> {
  const script = join(temporaryFolder(), 'load.lua')
  writeFileSync(script, SCRIPT)
  const more = kind === 'new' ? ['-H', 'Connection: close'] : []
  const args = ['-t1', `-c${connections}`, `-d${ROUND_S}s`, '--timeout', `${patience(5)}s`, '-s', script, ...more, urlOf(run, '/')]
  while (!run.isOver()) {
    const output = await outputOf(run, 'wrk', args)
    const report = /^report: (.*)$/m.exec(output)?.[1]
    if (report === undefined) return run.tally.fault('wrk', output)
    const { requests, faults } = JSON.parse(report) as { requests: number; faults: Record<string, number> }
    run.tally.count(`wrk ${kind}`, requests)
    for (const [fault, count] of Object.entries(faults)) if (count > 0) run.tally.fault(fault, `wrk ${kind}`, count)
  }
}

/** Runs ab again and again until the run is over, with GET and POST in turn. `kept`: HTTP/1.0 keep-alive (`-k`). Never rejects. */
export async function runAb(run: LoadRun, kind: 'kept' | 'new', requests: number, connections: number): Promise<void> {
  const body = join(temporaryFolder(), 'body')
  writeFileSync(body, BODY)
  const common = ['-q', '-n', `${requests}`, '-c', `${connections}`, '-s', `${patience(5)}`, ...(kind === 'kept' ? ['-k'] : [])]
  for (let round = 0; !run.isOver(); round++) {
    const post = round % 2 === 1 ? ['-p', body, '-T', 'text/plain'] : []
    const output = await outputOf(run, 'ab', [...common, ...post, urlOf(run, '/')])
    const numberOf = (title: string): number => Number(new RegExp(`^${title}: +(\\d+)`, 'm').exec(output)?.[1] ?? 0)
    run.tally.count(`ab ${kind}`, numberOf('Complete requests'))
    if (numberOf('Complete requests') !== requests) run.tally.fault('ab', output)
    for (const [title, fault] of [
      ['Failed requests', 'failed'],
      ['Write errors', 'write'],
      ['Non-2xx responses', 'status'],
    ] as const) {
      if (numberOf(title) > 0) run.tally.fault(fault, `ab ${kind}: ${output}`, numberOf(title))
    }
  }
}

function urlOf({ target }: LoadRun, path: string): string {
  return `http://127.0.0.1:${target.port}${path}`
}

async function outputOf(run: LoadRun, command: string, args: readonly string[]): Promise<string> {
  const child = spawnLogged(command, args)
  const { code, signal } = await child.ended
  if (code !== 0) run.tally.fault(command, `ended with ${code ?? signal}: ${child.output()}`)
  return child.output()
}
