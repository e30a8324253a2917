// Writes options of a config as text to paste, in the syntax of JavaScript.

const PLAIN_NAME = /^[A-Za-z_]\w*$/

/** Options that go into `pools`, one pool in a line. */
export function poolsText(pools: readonly (readonly [name: string, options: object])[]): string {
  return `pools: {\n${pools.map(([name, options]) => `  ${nameText(name)}: ${valueText(options)},\n`).join('')}},`
}

/** Routes that go before the others. */
export function routesText(routes: readonly object[]): string {
  return `routes: [\n${routes.map((route) => `  ${valueText(route)},\n`).join('')}],`
}

/** A value on one line. */
export function valueText(value: unknown): string {
  if (typeof value === 'string') return `'${value.replace(/[\\']/g, '\\$&').replace(/\p{Cc}/gu, '')}'`
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  return `{ ${entries.map(([name, one]) => `${nameText(name)}: ${valueText(one)}`).join(', ')} }`
}

function nameText(name: string): string {
  return PLAIN_NAME.test(name) ? name : valueText(name)
}
