// Names of slots on the command line, in the log and on pages: `web/0` is a worker, `legacy/0` an upstream server, `legacy/proxy/0` a worker that passes
// requests to upstream servers.

/** A slot, as commands name it. `proxy`: the proxy worker of an upstream pool, and not a server. */
export interface SlotName {
  readonly pool: string
  readonly slot: number
  readonly proxy?: boolean | undefined
}

/** A pool, or one of its slots. */
export type PoolOrSlot = Omit<SlotName, 'slot'> & { readonly slot: number | undefined }

const NAME = /^(?:([A-Za-z][\w-]{0,62})\/)?(proxy\/)?(\d{1,5})$/
const POOL_OR_NAME = /^([A-Za-z][\w-]{0,62})(?:\/(proxy\/)?(\d{1,5}))?$/

export function slotName({ pool, slot, proxy }: SlotName): string {
  return `${pool}/${proxy === true ? 'proxy/' : ''}${slot}`
}

/** `web/0`, `legacy/proxy/0`, or `0` in the first pool; undefined: it is none of these. */
export function parseSlotName(text: string): (Omit<SlotName, 'pool'> & { readonly pool: string | undefined }) | undefined {
  const [, pool, proxy, slot] = NAME.exec(text) ?? []
  if (slot === undefined || (pool === undefined && proxy !== undefined)) return undefined
  return { pool, slot: Number(slot), ...(proxy !== undefined && { proxy: true }) }
}

/** `web`, `web/0` or `legacy/proxy/0`; undefined: it is none of these. */
export function parsePoolOrSlot(text: string): PoolOrSlot | undefined {
  const [, pool, proxy, slot] = POOL_OR_NAME.exec(text) ?? []
  if (pool === undefined) return undefined
  return { pool, slot: slot === undefined ? undefined : Number(slot), ...(proxy !== undefined && { proxy: true }) }
}
