// The runs of the bench: each measures, and returns what it has found.

import { references, startContenders, UNOBSERVED } from './contenders.ts'
import { measureCosts } from './costs.ts'
import { measureHttp2 } from './http2.ts'
import { http2Rows, http2Table, http2Verdicts } from './http2-report.ts'
import type { Load } from './loads.ts'
import { measureLogs } from './logs.ts'
import { logRows, logTable, logVerdicts } from './logs-report.ts'
import { measureMixed, mixedLoad } from './mixed.ts'
import { mixedRows, mixedTable, mixedVerdicts } from './mixed-report.ts'
import type { Mode } from './modes.ts'
import type { Options } from './options.ts'
import { measureCases, microTable } from './pick.ts'
import { measurePinned, pinnedLoad } from './pinned.ts'
import { pinnedRows, pinnedTable, pinnedVerdicts } from './pinned-report.ts'
import { pickVerdicts } from './policy-cases.ts'
import { measureQueueing } from './queueing.ts'
import { invalidity, queueingNotes, queueingRows, queueingTable, queueingVerdicts } from './queueing-report.ts'
import { queueingTargets, scenarioText } from './queueing-scenarios.ts'
import { measureReload } from './reload.ts'
import { reloadLoad, reloadRows, reloadTable, reloadVerdicts } from './reload-report.ts'
import { rowsOf, rowTable, type Verdict, verdictsOf } from './report.ts'
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

/** What a run has found. */
export interface Finding {
  /** What was measured, and how. */
  readonly head: readonly string[]
  readonly table: string
  readonly notes?: readonly string[] | undefined
  readonly verdicts: readonly Verdict[]
  /** For `--json`, beside the verdicts and the machine. */
  readonly data: object
  /** Why the figures say nothing. */
  readonly invalid?: string | undefined
}

/** Called with each line of progress. */
export type Progress = (line: string) => void

export const runs: Readonly<Record<Mode, (options: Options, progress: Progress) => Finding | Promise<Finding>>> = {
  costs: (options, progress) => compare(options, progress, references, targets),
  observing: (options, progress) => compare(options, progress, [{ contender: UNOBSERVED, column: `× ${UNOBSERVED}` }], observingTargets),

  async mixed({ rounds, seconds, seeds, warmUpSeconds, lateMs }, progress) {
    const samples = await measureMixed({ seeds, seconds, warmUpSeconds, lateMs }, progress)
    const rows = mixedRows(samples)
    return {
      head: [`${rounds} traces of ${seconds} s each`, `${mixedLoad()}; medians of the traces`],
      table: mixedTable(rows),
      verdicts: mixedVerdicts(rows),
      data: { seconds, rounds, warmUpSeconds, rows, samples },
    }
  },

  async queueing({ requests, seeds, warmUpSeconds, lateMs, contenders, queueingScenarios: scenarios }, progress) {
    const samples = await measureQueueing({ contenders, scenarios, seeds, requests, warmUpSeconds, lateMs }, progress)
    const rows = queueingRows(samples)
    const invalid = invalidity(rows)
    return {
      head: [`traces of about ${requests} requests, seeds ${seeds.join(', ')}; medians of the seeds`, ...scenarios.map(scenarioText)],
      table: queueingTable(rows),
      notes: invalid === undefined ? queueingNotes(rows, lateMs) : [invalid],
      verdicts: queueingVerdicts(samples, queueingTargets),
      data: { requests, seeds, warmUpSeconds, invalid, rows, samples },
      invalid,
    }
  },

  async pinned({ seeds, seconds, warmUpSeconds, lateMs, pinMs }, progress) {
    const samples = await measurePinned({ seeds, seconds, warmUpSeconds, lateMs, pinMs }, progress)
    const rows = pinnedRows(samples)
    return {
      head: [`${seeds.length} rounds, the worst of them`, ...pinnedLoad(pinMs)],
      table: pinnedTable(rows),
      verdicts: pinnedVerdicts(rows),
      data: { seeds, seconds, warmUpSeconds, rows, samples },
    }
  },

  async saturated({ saturatedCells: cells, contenders, loads, seconds, warmUpSeconds, rounds, trial }, progress) {
    const { samples, loopsPerMs } = await measureSaturated({ cells, contenders, loads, seconds, warmUpSeconds, rounds, trial }, progress)
    const rows = saturatedRows(samples)
    return {
      head: [
        `${loads.map(loadText).join(', ')}; ${rounds} × ${seconds} s each, after ${warmUpSeconds} s`,
        `${saturatedLoad(loopsPerMs)}; medians of the rounds`,
      ],
      table: saturatedTable(rows),
      verdicts: saturatedVerdicts(rows),
      data: { loopsPerMs, seconds, rounds, warmUpSeconds, rows, samples },
    }
  },

  async reload({ reloadContenders: contenders, seconds, rounds, loads }, progress) {
    const samples = await measureReload({ contenders, seconds, rounds, load: loads[0] }, progress)
    const rows = reloadRows(samples)
    return {
      head: [`${rounds} × ${seconds} s each`, ...reloadLoad(loads[0])],
      table: reloadTable(rows),
      verdicts: reloadVerdicts(rows),
      data: { seconds, rounds, rows, samples },
    }
  },

  async logs({ logContenders: contenders, rounds }, progress) {
    const samples = await measureLogs({ contenders, rounds, lines: LOG_LINES }, progress)
    const rows = logRows(samples)
    return {
      head: [`${rounds} rounds of ${LOG_LINES} lines each, two workers; medians`],
      table: logTable(rows),
      verdicts: logVerdicts(rows),
      data: { rounds, rows, samples },
    }
  },

  async grpc({ rounds }, progress) {
    // Loads a library that the other runs do not need.
    const [{ measureCalls, callLoad }, { callRows, callTable, callVerdicts }] = await Promise.all([
      import('./grpc.ts'),
      import('./grpc-report.ts'),
    ])
    const samples = await measureCalls(rounds, progress)
    const rows = callRows(samples)
    return {
      head: [`${rounds} rounds`, `${callLoad}; medians of the rounds`],
      table: callTable(rows),
      verdicts: callVerdicts(samples),
      data: { rounds, rows, samples },
    }
  },

  async tls({ contenders, rounds }, progress) {
    const samples = await measureTls({ contenders, rounds }, progress)
    const rows = tlsRows(samples)
    return {
      head: [`${rounds} rounds, two workers, a P-256 certificate; CPU of all server processes, medians`],
      table: tlsTable(rows),
      verdicts: tlsVerdicts(samples),
      data: { rounds, rows, samples },
    }
  },

  async upstream({ contenders, rounds, seconds, warmUpSeconds, loads }, progress) {
    const [load] = loads as [Load]
    const samples = await measureUpstream({ contenders, rounds, seconds, warmUpSeconds, load }, progress)
    const rows = upstreamRows(samples)
    return {
      head: [`${loadText(load)}; ${rounds} × ${seconds} s each`, `${upstreamLoad}; CPU of all processes but the servers, medians`],
      table: upstreamTable(rows),
      verdicts: upstreamVerdicts(samples),
      data: { rounds, seconds, rows, samples },
    }
  },

  async http2({ contenders, rounds }, progress) {
    const samples = await measureHttp2({ contenders, rounds }, progress)
    const rows = http2Rows(samples)
    return {
      head: [`${rounds} rounds, two workers, without TLS; CPU of all server processes, medians`],
      table: http2Table(rows),
      verdicts: http2Verdicts(samples),
      data: { rounds, rows, samples },
    }
  },

  async start({ rounds }, progress) {
    const samples = await measureStart({ contenders: startContenders, rounds }, progress)
    const rows = startRows(samples)
    return {
      head: [`${rounds} starts each, two workers; medians`],
      table: startTable(rows),
      verdicts: startVerdicts(rows),
      data: { rounds, rows, samples },
    }
  },

  async sessions({ sessionContenders: contenders, sessionScenarios: scenarios, seconds, warmUpSeconds, rounds, loads, trial }, progress) {
    const [load] = loads as [Load]
    const samples = await measureSessions({ contenders, scenarios, seconds, warmUpSeconds, rounds, load, trial }, progress)
    const rows = sessionRows(samples)
    return {
      head: [`${loadText(load)}; ${rounds} × ${seconds} s each`, `${sessionLoad}; medians of the rounds`],
      table: sessionTable(rows),
      verdicts: sessionVerdicts(rows),
      data: { seconds, rounds, warmUpSeconds, rows, samples },
    }
  },

  async scrapes({ workers, seeds, seconds, warmUpSeconds }, progress) {
    const samples = await measureScrapes({ workers, seeds, seconds, warmUpSeconds }, progress)
    const rows = scrapesRows(samples)
    return {
      head: [`${seeds.length} rounds of two turns of ${seconds} s each`, `${scrapesLoad(workers)}; medians of the rounds`],
      table: scrapesTable(rows),
      verdicts: scrapesVerdicts(rows),
      data: { workers, seconds, warmUpSeconds, rows, samples },
    }
  },

  micro({ seconds }, progress) {
    const rows = measureCases(seconds, progress)
    return { head: ['medians'], table: microTable(rows), verdicts: pickVerdicts(rows), data: { rows } }
  },
}

async function compare(options: Options, progress: Progress, against: typeof references, bounds: typeof targets): Promise<Finding> {
  const { loads, rounds, seconds, warmUpSeconds } = options
  const { samples, scenarios, contenders } = await measureCosts(options, progress)
  const rows = rowsOf(
    samples,
    contenders,
    against.map(({ contender }) => contender),
  )
  const units = scenarios.map(({ name, unit }) => `${name}: per ${unit}`).join(', ')
  return {
    head: [
      `${loads.map(loadText).join(', ')}; ${rounds} × ${seconds} s each`,
      `CPU time of all server processes together (${units}); medians of the rounds`,
    ],
    table: rowTable(rows, against),
    verdicts: verdictsOf(rows, bounds),
    data: { loads: Object.fromEntries(loads.map((load) => [load.name, load.version()])), seconds, rounds, warmUpSeconds, rows, samples },
  }
}

function loadText(load: Load): string {
  return `${load.name} ${load.version()}`
}
