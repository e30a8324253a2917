// Who may import whom, as data, and the check that holds sources to it. Imports point one way, so each part can be read without those above it.

import { posix } from 'node:path'
import { importsOf, withoutComments } from '../scripts/source-text.mjs'

export interface Source {
  /** Path from the root of the checkout, with `/`. */
  readonly file: string
  readonly text: string
}

/** Each package with those of ours that it may import. */
const PACKAGES: Record<string, readonly string[]> = {
  routing: [],
  handoff: ['routing'],
  sessions: [],
  'worker-runtime': ['sessions', 'handoff', 'routing'],
  balancer: ['worker-runtime', 'sessions', 'handoff', 'routing'],
  bench: ['balancer', 'worker-runtime', 'sessions', 'handoff', 'routing'],
  examples: ['balancer', 'worker-runtime', 'sessions', 'handoff', 'routing'],
}

/**
 * The folders below `src` of each package, from the lowest floor up. No two share a floor. A file imports from its own folder and from lower floors, types
 * included. '' stands for the files directly in `src` that are named after no folder.
 */
const FLOORS: Record<string, readonly (readonly [folder: string, files?: RegExp])[]> = {
  routing: [['head'], ['', /./], ['policies'], ['policies/sticky'], ['', /^(from-data|index)\.ts$/]],
  handoff: [
    ['pipes'],
    ['load'],
    ['', /./],
    ['node-internals'],
    ['acceptor'],
    ['', /^(worker-end|worker-link)\.ts$/],
    ['portable'],
    ['native'],
    ['', /^(open-worker-end|index)\.ts$/],
  ],
  sessions: [['', /./], ['redis'], ['', /^index\.ts$/]],
  'worker-runtime': [
    ['', /./],
    ['observations'],
    ['server/requests'],
    ['server/tls'],
    ['server'],
    ['http2'],
    ['tls-tickets'],
    ['session-adapters'],
    ['forward'],
    ['steering'],
    ['drain'],
    ['reports'],
    ['access-log'],
    ['streams'],
    ['traces'],
    ['upstream/fields'],
    ['upstream/connection'],
    ['upstream/servers'],
    ['upstream/reports'],
    ['upstream/requests'],
    ['upstream'],
    ['', /^(request-hook|worker|register|index)\.ts$/],
  ],
  balancer: [
    // Plain data and types that every floor uses.
    ['', /./],
    ['system'],
    ['jobs'],
    ['visitors'],
    ['sessions'],
    ['supervisor'],
    ['tls-tickets'],
    ['counts'],
    ['certificates'],
    ['listeners'],
    ['decisions'],
    ['attackers'],
    ['upstreams'],
    ['dispatch'],
    ['reload'],
    ['upgrade'],
    ['insight'],
    ['', /^(balancer|lifetime|read-status|worker-reports)\.ts$/],
    ['log-files'],
    ['config'],
    ['advice'],
    ['admin'],
    ['control'],
    ['dashboard'],
    ['doctor'],
    ['cli'],
    ['', /^index\.ts$/],
  ],
}

/** Modules that belong to some files only. */
const OWNED_MODULES: readonly { module: RegExp; by: RegExp; why: string }[] = [
  {
    module: /^(node:)?cluster$/,
    by: /^packages\/(balancer\/src\/supervisor\/workers\/spawn\.ts$|handoff\/src\/node-internals\/listen-override\.ts$|examples\/)|^bench\//,
    why: 'only supervisor/workers/spawn.ts imports node:cluster, and handoff/src/node-internals/listen-override.ts in workers',
  },
]

/** Modules that one file at most, anywhere, imports. */
const SINGLE_IMPORTER = ['ioredis', 'http-proxy']

/** Words that may not stand in the code of some packages. */
const FORBIDDEN_WORDS: readonly { word: RegExp; where: RegExp; why: string }[] = [
  {
    word: /\b_handle\b/,
    where: /^packages\/(?!handoff\/src\/node-internals\/)|^bench\//,
    why: "only handoff/src/node-internals touches a socket's private handle",
  },
  {
    word: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bMath\.random\b/,
    where: /^packages\/routing\/src\//,
    why: 'routing has no clock and no chance of its own',
  },
]

const IMPURE =
  /^(node:)?(net|tls|dgram|dns|http|https|http2|fs|fs\/promises|child_process|cluster|process|worker_threads|timers|timers\/promises)$/

/** Every breach of the table, each as one line. */
export function breaches(sources: readonly Source[]): string[] {
  const found: string[] = []
  const importers = new Map<string, string[]>()
  for (const { file, text } of sources) {
    const code = withoutComments(text)
    const say = (why: string): number => found.push(`${file}: ${why}`)
    const here = packageOf(file)
    for (const { word, where, why } of FORBIDDEN_WORDS) if (where.test(file) && word.test(code)) say(why)
    if (isSource(file) && floorOf(file) === undefined) say('has no floor in test/import-table.ts')
    for (const specifier of importsOf(code)) {
      const target = targetOf(file, specifier)
      if (target.package !== undefined && target.package !== here && !PACKAGES[here]?.includes(target.package))
        say(`${here} imports ${target.package}`)
      if (target.file !== undefined && target.package !== here && !/^(bench|examples)$/.test(here))
        say(`reaches into ${target.file} past its package's index`)
      if (isSource(file) && target.file !== undefined && target.package === here) {
        const [own, other] = [floorOf(file), floorOf(target.file)]
        if (own !== undefined && other !== undefined && other > own) say(`imports ${target.file}, which is above it`)
      }
      if (here === 'routing' && IMPURE.test(specifier)) say(`routing is pure and imports ${specifier}`)
      for (const { module, by, why } of OWNED_MODULES) if (module.test(specifier) && !by.test(file)) say(why)
      if (SINGLE_IMPORTER.includes(specifier)) importers.set(specifier, [...(importers.get(specifier) ?? []), file])
    }
  }
  for (const [module, files] of importers) {
    const each = [...new Set(files)]
    if (each.length > 1) found.push(`${module} is imported by ${each.join(' and ')}; one file owns it`)
  }
  return found
}

function packageOf(file: string): string {
  return (file.startsWith('bench/') ? 'bench' : file.split('/')[1]) ?? ''
}

function isSource(file: string): boolean {
  return FLOORS[packageOf(file)] !== undefined && file.startsWith(`packages/${packageOf(file)}/src/`)
}

/** The deepest folder wins, and then a later entry, so that a file named directly has the floor of its name. */
function floorOf(file: string): number | undefined {
  const inside = file.replace(/^packages\/[^/]+\/src\//, '')
  let found: number | undefined
  let depth = 0
  for (const [floor, [folder, files]] of (FLOORS[packageOf(file)] ?? []).entries()) {
    const isOn = files === undefined ? inside.startsWith(`${folder}/`) : !inside.includes('/') && files.test(inside)
    if (!isOn || folder.length < depth) continue
    found = floor
    depth = folder.length
  }
  return found
}

function targetOf(file: string, specifier: string): { package?: string; file?: string } {
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(file), specifier)
    return /^(packages|bench)\//.test(target) ? { package: packageOf(target), file: target } : {}
  }
  const name = specifier.match(/^@switchyard\/([^/]+)/)?.[1]
  return name === undefined ? {} : { package: name }
}
