// npm run bench: checks all contenders, then measures them in turn, then compares them. Exit code 0; 1 when the run is invalid or (with
// --check) a target is missed; 2 for a wrong command line.

import { cpus } from 'node:os'
import { stopChildren } from './children.ts'
import { references, startContenders, UNOBSERVED } from './contenders.ts'
import { measureCosts } from './costs.ts'
import { measureHttp2 } from './http2.ts'
import { http2Rows, http2Table, http2Verdicts } from './http2-report.ts'
import type { Load } from './loads.ts'
import { measureLogs } from './logs.ts'
import { logRows, logTable, logVerdicts } from './logs-report.ts'
import { measureMixed, mixedLoad } from './mixed.ts'
import { mixedRows, mixedTable, mixedVerdicts } from './mixed-report.ts'
import { help, type Options, readOptions, UsageError } from './options.ts'
import { measureCases, microTable } from './pick.ts'
import { measurePinned, pinnedLoad } from './pinned.ts'
import { pinnedRows, pinnedTable, pinnedVerdicts } from './pinned-report.ts'
import { pickVerdicts } from './policy-cases.ts'
import { measureQueueing } from './queueing.ts'
import { invalidity, queueingNotes, queueingRows, queueingTable, queueingVerdicts } from './queueing-report.ts'
import { queueingTargets, scenarioText } from './queueing-scenarios.ts'
import { measureReload } from './reload.ts'
import { reloadLoad, reloadRows, reloadTable, reloadVerdicts } from './reload-report.ts'
import { rowsOf, rowTable, type Verdict, verdictsOf, verdictTable } from './report.ts'
import { measureSaturated, saturatedLoad } from './saturated.ts'
import { saturatedRows, saturatedTable, saturatedVerdicts } from './saturated-report.ts'

import { observingTargets, targets } from './scenarios.ts'
import { measureScrapes, scrapesLoad } from './scrapes.ts'
import { scrapesRows, scrapesTable, scrapesVerdicts } from './scrapes-report.ts'

import { sessionRows, sessionTable, sessionVerdicts } from './session-report.ts'
import { sessionLoad } from './session-scenarios.ts'
import { measureSessions } from './sessions.ts'
import { measureStart } from './start.ts'
import { startRows, startTable, startVerdicts } from './start-report.ts'
import { measureTls } from './tls.ts'
import { tlsRows, tlsTable, tlsVerdicts } from './tls-report.ts'
import { measureUpstream } from './upstream.ts'
import { upstreamLoad, upstreamRows, upstreamTable, upstreamVerdicts } from './upstream-report.ts'

/** Of a round of `logs`. */
const LOG_LINES = 200_000

let interrupted = false
for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    interrupted = true
    void stopChildren().finally(() => process.exit(exitCode))
  })
}

try {
  const options = await readOptions(process.argv.slice(2))
  process.exitCode = await run(options)
} catch (error) {
  // An interrupted run has an error too.
  if (!interrupted) console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
} finally {
  await stopChildren()
}

async function run(options: Options): Promise<number> {
  const { help: asksHelp, mode } = options
  if (asksHelp) return printHelp()
  if (mode === 'micro') return micro(options)
  if (process.platform !== 'linux') throw new Error('CPU time is read from /proc: this needs Linux')
  if (mode === 'logs') return logs(options)
  if (mode === 'mixed') return mixed(options)
  if (mode === 'queueing') return queueing(options)
  if (mode === 'reload') return reload(options)
  if (mode === 'saturated') return saturated(options)
  if (mode === 'sessions') return sessions(options)
  if (mode === 'observing') return observing(options)
  if (mode === 'start') return start(options)
  if (mode === 'scrapes') return scrapes(options)
  if (mode === 'tls') return tls(options)
  if (mode === 'upstream') return upstream(options)
  if (mode === 'grpc') return grpc(options)
  if (mode === 'http2') return http2(options)
  return mode === 'pinned' ? pinned(options) : costs(options)
}

async function costs(options: Options): Promise<number> {
  return compare(options, references, targets)
}

async function observing(options: Options): Promise<number> {
  return compare(options, [{ contender: UNOBSERVED, column: `× ${UNOBSERVED}` }], observingTargets)
}

async function compare(options: Options, against: typeof references, bounds: typeof targets): Promise<number> {
  const { loads, rounds, seconds, warmUpSeconds } = options
  const { samples, scenarios, contenders } = await measureCosts(options, progress)
  const rows = rowsOf(
    samples,
    contenders,
    against.map(({ contender }) => contender),
  )
  const verdicts = verdictsOf(rows, bounds)
  const versions = Object.fromEntries(loads.map((load) => [load.name, load.version()]))
  const generators = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const units = scenarios.map(({ name, unit }) => `${name}: per ${unit}`).join(', ')
  print(options, [
    `${machineText()}, ${generators.join(', ')}; ${rounds} × ${seconds} s each`,
    `CPU time of all server processes together (${units}); medians of the rounds`,
    '',
    rowTable(rows, against),
    ...verdictLines(verdicts),
  ])
  const data = { machine: { ...machine(), loads: versions }, seconds, rounds, warmUpSeconds, rows, verdicts, samples }
  if (options.json) console.log(JSON.stringify(data, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function mixed(options: Options): Promise<number> {
  const { rounds, seconds, seeds, warmUpSeconds, lateMs } = options
  const samples = await measureMixed({ seeds, seconds, warmUpSeconds, lateMs }, progress)
  const rows = mixedRows(samples)
  const verdicts = mixedVerdicts(rows)
  print(options, [
    `${machineText()}; ${rounds} traces of ${seconds} s each`,
    `${mixedLoad()}; medians of the traces`,
    '',
    mixedTable(rows),
    ...verdictLines(verdicts),
  ])
  const data = { machine: machine(), seconds, rounds, warmUpSeconds, rows, verdicts, samples }
  if (options.json) console.log(JSON.stringify(data, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function queueing(options: Options): Promise<number> {
  const { requests, seeds, warmUpSeconds, lateMs, contenders, queueingScenarios: scenarios } = options
  const samples = await measureQueueing({ contenders, scenarios, seeds, requests, warmUpSeconds, lateMs }, progress)
  const rows = queueingRows(samples)
  const verdicts = queueingVerdicts(samples, queueingTargets)
  const invalid = invalidity(rows)
  print(options, [
    `${machineText()}; traces of about ${requests} requests, seeds ${seeds.join(', ')}; medians of the seeds`,
    ...scenarios.map(scenarioText),
    '',
    queueingTable(rows),
    ...verdictLines(verdicts),
    '',
    ...(invalid === undefined ? queueingNotes(rows, lateMs) : [invalid]),
  ])
  const data = { machine: machine(), requests, seeds, warmUpSeconds, invalid, rows, verdicts, samples }
  if (options.json) console.log(JSON.stringify(data, undefined, 2))
  if (invalid !== undefined) return 1
  return options.check ? checked(verdicts) : 0
}

async function pinned(options: Options): Promise<number> {
  const { seeds, seconds, warmUpSeconds, lateMs, pinMs } = options
  const samples = await measurePinned({ seeds, seconds, warmUpSeconds, lateMs, pinMs }, progress)
  const rows = pinnedRows(samples)
  const verdicts = pinnedVerdicts(rows)
  print(options, [
    `${machineText()}; ${seeds.length} rounds, the worst of them`,
    ...pinnedLoad(pinMs),
    '',
    pinnedTable(rows),
    ...verdictLines(verdicts),
  ])
  if (options.json)
    console.log(JSON.stringify({ machine: machine(), seeds, seconds, warmUpSeconds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function saturated(options: Options): Promise<number> {
  const { saturatedCells: cells, contenders, loads, seconds, warmUpSeconds, rounds, trial } = options
  const { samples, loopsPerMs } = await measureSaturated({ cells, contenders, loads, seconds, warmUpSeconds, rounds, trial }, progress)
  const rows = saturatedRows(samples)
  const verdicts = saturatedVerdicts(rows)
  const generators = loads.map((load) => `${load.name} ${load.version()}`)
  print(options, [
    `${machineText()}, ${generators.join(', ')}; ${rounds} × ${seconds} s each, after ${warmUpSeconds} s`,
    `${saturatedLoad(loopsPerMs)}; medians of the rounds`,
    '',
    saturatedTable(rows),
    ...verdictLines(verdicts),
  ])
  const data = { machine: machine(), loopsPerMs, seconds, rounds, warmUpSeconds, rows, verdicts, samples }
  if (options.json) console.log(JSON.stringify(data, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function reload(options: Options): Promise<number> {
  const { reloadContenders: contenders, seconds, rounds, loads } = options
  const samples = await measureReload({ contenders, seconds, rounds, load: loads[0] }, progress)
  const rows = reloadRows(samples)
  const verdicts = reloadVerdicts(rows)
  print(options, [
    `${machineText()}; ${rounds} × ${seconds} s each`,
    ...reloadLoad(loads[0]),
    '',
    reloadTable(rows),
    ...verdictLines(verdicts),
  ])
  if (options.json) console.log(JSON.stringify({ machine: machine(), seconds, rounds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function logs(options: Options): Promise<number> {
  const { logContenders: contenders, rounds } = options
  const samples = await measureLogs({ contenders, rounds, lines: LOG_LINES }, progress)
  const rows = logRows(samples)
  const verdicts = logVerdicts(rows)
  print(options, [
    `${machineText()}; ${rounds} rounds of ${LOG_LINES} lines each, two workers; medians`,
    '',
    logTable(rows),
    ...verdictLines(verdicts),
  ])
  if (options.json) console.log(JSON.stringify({ machine: machine(), rounds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function grpc(options: Options): Promise<number> {
  const [{ measureCalls, callLoad }, { callRows, callTable, callVerdicts }] = await Promise.all([
    import('./grpc.ts'),
    import('./grpc-report.ts'),
  ])
  const { rounds } = options
  const samples = await measureCalls(rounds, progress)
  const rows = callRows(samples)
  const verdicts = callVerdicts(samples)
  print(options, [
    `${machineText()}; ${rounds} rounds`,
    `${callLoad}; medians of the rounds`,
    '',
    callTable(rows),
    ...verdictLines(verdicts),
  ])
  if (options.json) console.log(JSON.stringify({ machine: machine(), rounds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function tls(options: Options): Promise<number> {
  const { contenders, rounds } = options
  const samples = await measureTls({ contenders, rounds }, progress)
  const rows = tlsRows(samples)
  const verdicts = tlsVerdicts(samples)
  print(options, [
    `${machineText()}; ${rounds} rounds, two workers, a P-256 certificate; CPU of all server processes, medians`,
    '',
    tlsTable(rows),
    ...verdictLines(verdicts),
  ])
  if (options.json) console.log(JSON.stringify({ machine: machine(), rounds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function upstream(options: Options): Promise<number> {
  const { contenders, rounds, seconds, warmUpSeconds, loads } = options
  const [load] = loads as [Load]
  const samples = await measureUpstream({ contenders, rounds, seconds, warmUpSeconds, load }, progress)
  const rows = upstreamRows(samples)
  const verdicts = upstreamVerdicts(samples)
  print(options, [
    `${machineText()}, ${load.name} ${load.version()}; ${rounds} × ${seconds} s each`,
    `${upstreamLoad}; CPU of all processes but the servers, medians`,
    '',
    upstreamTable(rows),
    ...verdictLines(verdicts),
  ])
  if (options.json) console.log(JSON.stringify({ machine: machine(), rounds, seconds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function http2(options: Options): Promise<number> {
  const { contenders, rounds } = options
  const samples = await measureHttp2({ contenders, rounds }, progress)
  const rows = http2Rows(samples)
  const verdicts = http2Verdicts(samples)
  print(options, [
    `${machineText()}; ${rounds} rounds, two workers, without TLS; CPU of all server processes, medians`,
    '',
    http2Table(rows),
    ...verdictLines(verdicts),
  ])
  if (options.json) console.log(JSON.stringify({ machine: machine(), rounds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function start(options: Options): Promise<number> {
  const { rounds } = options
  const samples = await measureStart({ contenders: startContenders, rounds }, progress)
  const rows = startRows(samples)
  const verdicts = startVerdicts(rows)
  print(options, [`${machineText()}; ${rounds} starts each, two workers; medians`, '', startTable(rows), ...verdictLines(verdicts)])
  if (options.json) console.log(JSON.stringify({ machine: machine(), rounds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function sessions(options: Options): Promise<number> {
  const { sessionContenders: contenders, sessionScenarios: scenarios, seconds, warmUpSeconds, rounds, loads, trial } = options
  const [load] = loads as [Load]
  const samples = await measureSessions({ contenders, scenarios, seconds, warmUpSeconds, rounds, load, trial }, progress)
  const rows = sessionRows(samples)
  const verdicts = sessionVerdicts(rows)
  print(options, [
    `${machineText()}, ${load.name} ${load.version()}; ${rounds} × ${seconds} s each`,
    `${sessionLoad}; medians of the rounds`,
    '',
    sessionTable(rows),
    ...verdictLines(verdicts),
  ])
  if (options.json)
    console.log(JSON.stringify({ machine: machine(), seconds, rounds, warmUpSeconds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

async function scrapes(options: Options): Promise<number> {
  const { workers, seeds, seconds, warmUpSeconds } = options
  const samples = await measureScrapes({ workers, seeds, seconds, warmUpSeconds }, progress)
  const rows = scrapesRows(samples)
  const verdicts = scrapesVerdicts(rows)
  print(options, [
    `${machineText()}; ${seeds.length} rounds of two turns of ${seconds} s each`,
    `${scrapesLoad(workers)}; medians of the rounds`,
    '',
    scrapesTable(rows),
    ...verdictLines(verdicts),
  ])
  if (options.json)
    console.log(JSON.stringify({ machine: machine(), workers, seconds, warmUpSeconds, rows, verdicts, samples }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

function micro(options: Options): number {
  const rows = measureCases(options.seconds, (name) => progress(name))
  const verdicts = pickVerdicts(rows)
  print(options, [`${machineText()}; medians`, '', microTable(rows), ...verdictLines(verdicts)])
  if (options.json) console.log(JSON.stringify({ machine: machine(), rows, verdicts }, undefined, 2))
  return options.check ? checked(verdicts) : 0
}

function checked(verdicts: readonly Verdict[]): number {
  if (verdicts.length === 0) throw new Error('--check: nothing that has a target was measured')
  return verdicts.some(({ met }) => !met) ? 1 : 0
}

function verdictLines(verdicts: readonly Verdict[]): readonly string[] {
  return verdicts.length > 0 ? ['', verdictTable(verdicts)] : []
}

function machine(): { readonly node: string; readonly system: string; readonly cores: number } {
  return { node: process.version, system: `${process.platform} ${process.arch}`, cores: cpus().length }
}

function machineText(): string {
  const { node, system, cores } = machine()
  return `Node ${node.slice(1)}, ${system}, ${cores} cores`
}

function printHelp(): number {
  console.log(help)
  return 0
}

function print({ json }: Options, lines: readonly string[]): void {
  const text = lines.join('\n')
  if (json) console.error(text)
  else console.log(text)
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}
