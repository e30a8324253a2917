// Reads the values of a page of metrics.

/** The value of a series, by its name and labels as on the page; undefined: it is not there. */
export function seriesOn(page: string, series: string): number | undefined {
  const line = page.split('\n').find((line) => line.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1).split(' ', 1)[0])
}

/** The sum over all series of a metric whose labels match. */
export function sumOf(page: string, name: string, labels = /./): number {
  return page
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && labels.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf('}') + 1)), 0)
}

/** The series that count since the start and are smaller on the second page, or gone. */
export function fallen(before: string, after: string): string[] {
  const now = countsOn(after)
  return [...countsOn(before)].flatMap(([series, value]) => {
    const later = now.get(series)
    return later !== undefined && later >= value ? [] : [`${series}: ${value}, then ${later}`]
  })
}

function countsOn(page: string): Map<string, number> {
  const counters = new Set<string>()
  const counts = new Map<string, number>()
  for (const line of page.split('\n')) {
    const [, name, type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? []
    if (name !== undefined && type === 'counter') counters.add(name)
    if (name !== undefined && type === 'histogram') for (const suffix of ['_bucket', '_sum', '_count']) counters.add(name + suffix)
    const series = /^([a-zA-Z_]\w*)(?:\{.*\})? (\S+)$/.exec(line)
    if (series !== null && counters.has(series[1] as string)) counts.set(line.slice(0, line.lastIndexOf(' ')), Number(series[2]))
  }
  return counts
}
