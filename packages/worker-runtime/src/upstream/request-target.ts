// The target of a proxied request: in origin form (RFC 9112 §3.2.1), with the pool's prefix removed or added. Nothing else of it changes.

const ABSOLUTE = /^https?:\/\/([^/?#]*)/i

export interface Prefixes {
  readonly strip: string | undefined
  readonly add: string | undefined
}

/** The target for the upstream server, and the authority of a target in absolute form. undefined: no server may have this target. */
export function upstreamTarget(url: string, { strip, add }: Prefixes): { target: string; authority: string | undefined } | undefined {
  if (url === '*') return { target: url, authority: undefined }
  const [begin, authority] = ABSOLUTE.exec(url) ?? []
  let target = begin === undefined ? url : url.slice(begin.length)
  if (target === '' || target.startsWith('?')) target = `/${target}`
  if (!target.startsWith('/')) return undefined
  if (strip !== undefined && target.startsWith(strip) && /^([/?]|$)/.test(target.slice(strip.length, strip.length + 1))) {
    target = target.slice(strip.length)
    if (!target.startsWith('/')) target = `/${target}`
  }
  if (add !== undefined) target = add + target
  return { target, authority }
}
