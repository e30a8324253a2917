// Checks the version of Node: required by the balancer, supported by the project, and with the fixes of the newest security release.

import type { Check } from './check.ts'

/** Older parsers end the head of a request at `\r\n\rX`, so a client could smuggle a request past the routes (CVE-2025-23167). */
export const LEAST_NODE = '20.19.2'

interface Line {
  /** The newest security release of the line. */
  readonly fixed: string
  readonly fixedOn: string
  /** No security fixes after this day. */
  readonly supportedUntil: string
}

/** As of 2026-11. Odd lines, and lines below these, are out of support. */
const LINES: Readonly<Record<number, Line>> = {
  20: { fixed: '20.20.2', fixedOn: '2026-03-24', supportedUntil: '2026-04-30' },
  22: { fixed: '22.23.4', fixedOn: '2026-10-21', supportedUntil: '2027-04-30' },
  24: { fixed: '24.22.1', fixedOn: '2026-10-21', supportedUntil: '2028-04-30' },
  26: { fixed: '26.12.1', fixedOn: '2026-10-21', supportedUntil: '2029-04-30' },
}
const NEWEST_LINE = Math.max(...Object.keys(LINES).map(Number))
const INSTALL = 'Install Node 24 or 22, and start the balancer with it.'

/** `version`: without the `v`. */
export function checkNode(version: string = process.versions.node, nowMs: number = Date.now()): Check {
  const name = 'node'
  if (isOlder(version, LEAST_NODE)) {
    const found = `Node ${version} is too old: the balancer needs ${LEAST_NODE} or newer, since older parsers end a request head too early`
    return { name, state: 'fault', found, advice: INSTALL }
  }
  const major = partsOf(version)[0] as number
  const line = LINES[major]
  if (line === undefined && major > NEWEST_LINE)
    return { name, state: 'ok', found: `Node ${version} (newer than this balancer, which knows no security releases of it)` }
  if (line === undefined || nowMs > Date.parse(`${line.supportedUntil}T23:59:59Z`)) {
    const since = line === undefined ? '' : ` since ${line.supportedUntil}`
    return {
      name,
      state: 'warning',
      found: `Node ${version}: Node ${major} is out of support${since} and gets no security fixes`,
      advice: INSTALL,
    }
  }
  if (isOlder(version, line.fixed)) {
    const found = `Node ${version} lacks the security fixes of ${line.fixed} (${line.fixedOn})`
    return {
      name,
      state: 'warning',
      found,
      advice: `Install Node ${line.fixed} or newer. 'balancer upgrade' then moves to it without a pause.`,
    }
  }
  return { name, state: 'ok', found: `Node ${version}` }
}

function isOlder(version: string, than: string): boolean {
  const [own, other] = [partsOf(version), partsOf(than)]
  const different = other.findIndex((part, index) => own[index] !== part)
  return different !== -1 && (own[different] as number) < (other[different] as number)
}

function partsOf(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10))
}
