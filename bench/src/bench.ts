// npm run bench: checks all contenders, then measures them in turn, then compares them. Exit code 0; 1 when the run is invalid or (with
// --check) a target is missed; 2 for a wrong command line.

import { cpus } from 'node:os'
import { stopChildren } from './children.ts'
import { help, type Options, readOptions, UsageError } from './options.ts'
import { type Verdict, verdictTable } from './report.ts'
import { type Finding, runs } from './runs.ts'

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

/** Resolves with the exit code. */
async function run(options: Options): Promise<number> {
  const { help: asksHelp, mode, check } = options
  if (asksHelp) {
    console.log(help)
    return 0
  }
  if (mode !== 'micro' && process.platform !== 'linux') throw new Error('CPU time is read from /proc: this needs Linux')
  const finding = await runs[mode](options, (line) => process.stderr.write(`${line}\n`))
  print(finding, options)
  if (finding.invalid !== undefined) return 1
  return check ? checked(finding.verdicts) : 0
}

function print({ head, table, verdicts, notes, data }: Finding, { json }: Options): void {
  const machine = { node: process.version, system: `${process.platform} ${process.arch}`, cores: cpus().length }
  const lines = [
    `Node ${machine.node.slice(1)}, ${machine.system}, ${machine.cores} cores`,
    ...head,
    '',
    table,
    ...(verdicts.length > 0 ? ['', verdictTable(verdicts)] : []),
    ...(notes === undefined ? [] : ['', ...notes]),
  ]
  const text = lines.join('\n')
  if (!json) return console.log(text)
  console.error(text)
  console.log(JSON.stringify({ machine, ...data, verdicts }, undefined, 2))
}

function checked(verdicts: readonly Verdict[]): number {
  if (verdicts.length === 0) throw new Error('--check: nothing that has a target was measured')
  return verdicts.some(({ met }) => !met) ? 1 : 0
}
