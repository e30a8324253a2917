// npm run bench: everybody is checked, then timed in turn, then compared. Exit code 0, 1 when the run says nothing or (with --check) a target is
// missed, 2 when the command line makes no sense.

import { cpus } from 'node:os'
import { stopChildren } from './children.ts'
import { references } from './contenders.ts'
import { help, type Options, readOptions, UsageError } from './options.ts'
import { measureCases, microTable } from './pick.ts'
import { rowsOf, rowTable, verdictsOf, verdictTable } from './report.ts'
import { targets } from './scenarios.ts'
import { type Sample, take, tryOut, turnsOf } from './turn.ts'

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
  process.exitCode = options.help ? printHelp() : options.micro ? micro(options) : await bench(options)
} catch (error) {
  // What was interrupted has an error too.
  if (!interrupted) console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
} finally {
  await stopChildren()
}

async function bench(options: Options): Promise<number> {
  if (process.platform !== 'linux') throw new Error('CPU time is read from /proc: this needs Linux')
  const { contenders, scenarios, loads, rounds, seconds, warmUpSeconds } = options
  for (const contender of contenders) {
    progress(`checking the answers of ${contender.name}`)
    await tryOut(contender)
  }

  const samples: Sample[] = []
  const turns = turnsOf(contenders, scenarios, loads, rounds)
  for (const [index, turn] of turns.entries()) {
    const sample = await take(turn, seconds, warmUpSeconds)
    samples.push(sample)
    const { contender, scenario, load, round } = turn
    const cost = `${((sample.cpuMs * 1000) / sample.requests).toFixed(1)} µs per ${scenario.unit}`
    progress(`${index + 1}/${turns.length}  ${load.name}  ${scenario.name}  round ${round}  ${contender.name}  ${cost}`)
  }

  const names = contenders.map(({ name }) => name)
  const rows = rowsOf(
    samples,
    names,
    references.map(({ contender }) => contender),
  )
  const verdicts = verdictsOf(rows, targets)
  const machine = {
    node: process.version,
    system: `${process.platform} ${process.arch}`,
    cores: cpus().length,
    loads: Object.fromEntries(loads.map((load) => [load.name, load.version()])),
  }
  const units = scenarios.map(({ name, unit }) => `${name}: per ${unit}`).join(', ')
  const generators = Object.entries(machine.loads).map(([name, version]) => `${name} ${version}`)
  print(options, [
    `Node ${machine.node.slice(1)}, ${machine.system}, ${machine.cores} cores, ${generators.join(', ')}; ${rounds} × ${seconds} s each`,
    `CPU time of all server processes together (${units}); medians of the rounds`,
    '',
    rowTable(rows, references),
    ...(verdicts.length > 0 ? ['', verdictTable(verdicts)] : []),
  ])
  if (options.json) console.log(JSON.stringify({ machine, seconds, rounds, warmUpSeconds, rows, verdicts, samples }, undefined, 2))
  if (options.check && verdicts.length === 0) throw new Error('--check: nothing that has a target was measured')
  return options.check && verdicts.some(({ met }) => !met) ? 1 : 0
}

function micro(options: Options): number {
  const rows = measureCases(options.seconds, (name) => progress(name))
  print(options, [`Node ${process.version.slice(1)}, ${process.platform} ${process.arch}; medians`, '', microTable(rows)])
  if (options.json) console.log(JSON.stringify({ machine: { node: process.version }, rows }, undefined, 2))
  return 0
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
