// Sends the corpus through a proxy to a recording server, and says in comparable lines what arrived of each case and what its client got.

import { patience } from '../../../../../test/support/patience.ts'
import type { RecordedRequest, RecordingServer } from '../../../../../test/support/recording-server.ts'
import { until } from '../../../../../test/support/until.ts'
import { RawClient } from './raw-client.ts'
import type { CorpusCase } from './upstream-corpus.ts'

/** What became of one case. */
export interface CorpusOutcome {
  /** The status of the answer, `closed` without an answer, or `silence` from a proxy that waits for the rest of a request. */
  readonly client: string
  /** Requests that reached the server. */
  readonly arrived: readonly string[]
  /** What reached the server and is no request, and markers that did not arrive: bytes of one request were read as another. */
  readonly faults: readonly string[]
}

/** Fields that each proxy writes itself: framing, the connection, and the client. */
const WRITTEN = /^(x-forwarded-(for|proto|host)|forwarded|via|connection|transfer-encoding|content-length|trailer)$/i
/** Of a value or a body in the comparison. */
const SHOWN = 60
/** How long a proxy that waits for the rest of a request is given. */
const SILENCE_MS = 150
const ANSWER_MS = 5_000
const MARKER = 'GET /marker HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n'

/** `port`: of the proxy in front of the server. `expected`: what the client is known to get, so that silence is not waited for in vain. */
export async function sendCase(
  port: number,
  server: RecordingServer,
  { bytes, behind }: CorpusCase,
  expected: string | undefined,
): Promise<CorpusOutcome> {
  server.clear()
  const faults: string[] = []
  const client = await new RawClient(port).connected()
  client.write(bytes)
  const got = await answered(client, expected === 'silence' ? SILENCE_MS : patience(ANSWER_MS))
  if (got === '101' && (await client.bytes(behind.length)).toString('latin1') !== behind) faults.push('other bytes came back')
  client.destroy()
  const { tunnelled } = server
  // The next request uses the same connection to the server.
  const marker = await new RawClient(port).connected()
  const answer = await marker.write(MARKER).answer()
  marker.destroy()
  if (answer.status !== 200) faults.push(`the marker was answered ${answer.status}`)
  await until(() => server.requests.some(({ target }) => target === '/marker'), ANSWER_MS, 'the marker')
  const others = server.requests.filter(({ target }) => target !== '/marker')
  if (others.length < server.requests.length - 1) faults.push('two markers')
  faults.push(...server.garbage.map((text) => `no request: ${text.slice(0, SHOWN)}`))
  return {
    client: got,
    arrived: [...others.map((request) => lineOf(request, server.port)), ...(tunnelled === '' ? [] : [`tunnel | ${tunnelled}`])],
    faults,
  }
}

/** Waits until the proxy has answered, has closed the connection, or was silent for so long. */
async function answered(client: RawClient, silenceMs: number): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, silenceMs, 'silence')
  })
  const status = async (): Promise<string> => {
    const { status } = await client.answer(ANSWER_MS, 'HEAD')
    return `${status === 100 ? (await client.answer(ANSWER_MS, 'HEAD')).status : status}`
  }
  try {
    return await Promise.race([status().catch((error) => (client.isOver ? 'closed' : `${error.message.slice(0, SHOWN)}`)), silence])
  } finally {
    clearTimeout(timer)
  }
}

function lineOf({ method, target, fields, body, trailers }: RecordedRequest, port: number): string {
  const kept = fields.filter(([name]) => !WRITTEN.test(name)).sort(byName)
  const shown = kept.slice(0, 8).map(([name, value]) => `${name}: ${value.slice(0, SHOWN)}`)
  const behind = trailers.map(([name, value]) => ` | behind it ${name}: ${value.slice(0, SHOWN)}`)
  const line = `${method} ${target.slice(0, SHOWN)} | ${shown.join(' | ')} | ${body.length} ${body.slice(0, SHOWN)}${behind.join('')}`
  return line.replaceAll(`127.0.0.1:${port}`, 'the server')
}

/** Order among equal names has a meaning, order among others has none. */
function byName([one]: readonly [string, string], [other]: readonly [string, string]): number {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()]
  return a < b ? -1 : a > b ? 1 : 0
}

/** The line with the names of fields in lower case, as HAProxy writes them. */
export function withLowerNames(line: string): string {
  return line.replace(/(?<= \| (?:behind it )?)[^ |:]+(?=: )/g, (name) => name.toLowerCase())
}
