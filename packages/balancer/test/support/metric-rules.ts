// The rules of `promtool check metrics`, so that tests name a fault without it: prometheus.io/docs/practices/naming.

const SUFFIXES = ['_bucket', '_count', '_sum']
const TYPES = ['counter', 'gauge', 'histogram', 'summary']
const ABBREVIATED = ['s', 'ms', 'us', 'ns', 'sec', 'b', 'kb', 'mb', 'gb', 'tb', 'pb', 'm', 'h', 'd']
const NOT_BASE =
  /^(?:(?:milli|micro|nano|kilo|mega|giga|tera|kibi|mebi|gibi)(?:seconds?|bytes?|meters?|grams?)|minutes?|hours?|days?|weeks?|bits?)$/

/** All faults in the text of a metrics page. */
export function metricFaults(text: string): string[] {
  const helps = new Set([...text.matchAll(/^# HELP (\S+) \S/gm)].map(([, name]) => name))
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name as string, type as string]))
  const labels = new Map<string, Set<string>>()
  for (const [, sample = '', list = ''] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})? /gm)) {
    const name = nameOf(sample, types)
    const known = labels.get(name) ?? new Set()
    for (const [, label = ''] of list.matchAll(/(\w+)="/g)) known.add(label)
    labels.set(name, known)
  }
  return [...labels].flatMap(([name, has]) => faultsOf(name, types.get(name), helps.has(name), has).map((fault) => `${name}: ${fault}`))
}

function faultsOf(name: string, type: string | undefined, hasHelp: boolean, labels: ReadonlySet<string>): string[] {
  const parts = name.split('_')
  const rules: readonly (readonly [isBroken: boolean, fault: string])[] = [
    [!hasHelp, 'no help'],
    [type === undefined, 'no type'],
    [type === 'counter' && !name.endsWith('_total'), 'a counter ends in _total'],
    [type !== 'counter' && name.endsWith('_total'), 'only a counter ends in _total'],
    ...SUFFIXES.map((suffix) => [type === 'gauge' && name.endsWith(suffix), `only a histogram or a summary ends in ${suffix}`] as const),
    [type !== 'histogram' && labels.has('le'), 'only a histogram has the label le'],
    [type !== 'summary' && labels.has('quantile'), 'only a summary has the label quantile'],
    [parts.some((part) => NOT_BASE.test(part)), 'not a base unit'],
    [parts.some((part) => ABBREVIATED.includes(part)) && name !== parts[0], 'an abbreviated unit'],
    [/[A-Z:]/.test(name), 'not in snake case'],
    [parts.some((part) => TYPES.includes(part)), 'its type is in its name'],
  ]
  return rules.filter(([isBroken]) => isBroken).map(([, fault]) => fault)
}

/** The metric of a sample; samples of histograms and summaries have a suffix. */
function nameOf(sample: string, types: ReadonlyMap<string, string>): string {
  for (const suffix of SUFFIXES) {
    const name = sample.slice(0, -suffix.length)
    if (sample.endsWith(suffix) && /^(?:histogram|summary)$/.test(types.get(name) ?? '')) return name
  }
  return sample
}
