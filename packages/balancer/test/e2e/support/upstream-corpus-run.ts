// Sends the corpus through a proxy to a recording server, and says in one comparable line what arrived of each case.

import type { RecordedRequest, RecordingServer } from '../../../../../test/support/recording-server.ts'
import { until } from '../../../../../test/support/until.ts'
import { RawClient } from './raw-client.ts'
import type { CorpusCase } from './upstream-corpus.ts'

/** What became of one case. */
export interface CorpusOutcome {
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
const MARKER = 'GET /marker HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n'

/** `port`: of the proxy in front of the server. */
export async function sendCase(port: number, server: RecordingServer, { bytes }: CorpusCase): Promise<CorpusOutcome> {
  server.clear()
  const client = await new RawClient(port).connected()
  client.write(bytes)
  await settled(client)
  client.destroy()
  const faults: string[] = []
  // The next request uses the same connection to the server.
  const marker = await new RawClient(port).connected()
  const answer = await marker.write(MARKER).answer()
  marker.destroy()
  if (answer.status !== 200) faults.push(`the marker was answered ${answer.status}`)
  await until(() => server.requests.some(({ target }) => target === '/marker'), 5_000, 'the marker')
  const others = server.requests.filter(({ target }) => target !== '/marker')
  if (others.length < server.requests.length - 1) faults.push('two markers')
  return { arrived: others.map(lineOf), faults: [...faults, ...server.garbage.map((text) => `no request: ${text.slice(0, SHOWN)}`)] }
}

/** Resolves when the proxy has answered, has closed the connection, or waits for more. */
function settled(client: RawClient): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, SILENCE_MS)
    const end = (): void => {
      clearTimeout(timer)
      resolve()
    }
    client
      .answer()
      .then((answer) => (answer.status === 100 ? client.answer() : answer))
      .then(end, end)
  })
}

function lineOf({ method, target, fields, body }: RecordedRequest): string {
  const kept = fields.filter(([name]) => !WRITTEN.test(name)).map(([name, value]) => `${name}: ${value.slice(0, SHOWN)}`)
  return `${method} ${target.slice(0, SHOWN)} | ${kept.sort().slice(0, 8).join(' | ')} | ${body.length} ${body.slice(0, SHOWN)}`
}
