// The primary's end of the pipe over which a worker asks it to listen. The worker stands still until it has its answer, so it asks one thing at a time.

import type { Duplex } from 'node:stream'
import { type ListenAnswer, type ListenRequest, readListenRequest } from '@switchyard/worker-runtime'

/** No request is longer: a path of a unix socket is short. */
const MAX_REQUEST_BYTES = 4096

/** Answers every request that comes over `pipe` with what `answer` says, which rejects never. A worker that sends anything else is not listened to any more. */
export function answerListens(pipe: Duplex, answer: (request: ListenRequest) => Promise<ListenAnswer>): void {
  let text = ''
  const serve = async (line: string): Promise<void> => {
    const request = readListenRequest(parse(line))
    if (request === undefined) return void pipe.destroy()
    pipe.pause()
    const said = await answer(request)
    if (pipe.destroyed) return
    pipe.write(`${JSON.stringify(said)}\n`)
    pipe.resume()
  }
  // It is gone; the end of its process is told elsewhere.
  pipe.on('error', () => {})
  pipe.on('data', (bytes: Buffer) => {
    text += bytes.toString('utf8')
    const end = text.indexOf('\n')
    if (end !== text.length - 1 || text.length > MAX_REQUEST_BYTES) {
      if (end !== -1 || text.length > MAX_REQUEST_BYTES) pipe.destroy()
      return
    }
    const line = text
    text = ''
    void serve(line)
  })
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
