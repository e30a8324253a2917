// The Grafana board in docs/, as a test reads it.

import { readFileSync } from 'node:fs'

export interface Place {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: Place
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat: string }[]
}

export interface Board {
  readonly title: string
  readonly uid: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly query: string | { readonly query: string } }[]
  }
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string; readonly titleFormat: string }[] }
}

/** An expression of the board, with what shows it. */
export interface BoardQuery {
  readonly where: string
  readonly expr: string
  /** Names labels in double braces. */
  readonly legend: string
}

export function readBoard(): Board {
  return JSON.parse(readFileSync(new URL('../../../../docs/grafana-board.json', import.meta.url), 'utf8')) as Board
}

/** The expressions of panels and annotations. */
export function queriesOf({ panels, annotations }: Board): BoardQuery[] {
  return [
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr, legendFormat }) => ({ where: title, expr, legend: legendFormat }))),
    ...annotations.list.map(({ name, expr, titleFormat }) => ({ where: name, expr, legend: titleFormat })),
  ]
}

/** Puts values for the variables of Grafana, as Grafana does when everything is chosen. */
export function expanded(expr: string, rateInterval = '1m'): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replace(/\$(instance|pool|route)\b/g, '.*')
}
