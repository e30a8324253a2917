// The primary's end of the pipe over which a worker asks it to listen. The worker blocks until the answer comes, so there is one request at a time.

import type { Duplex } from 'node:stream'
import { type ListenAnswer, type ListenRequest, readListenRequest } from '@switchyard/worker-runtime'

/** Enough for any request, since the path of a unix socket is short. */
const MAX_REQUEST_BYTES = 4096

/** Answers the requests on `pipe` by `answer`, which never rejects. Destroys the pipe if the worker sends anything else. */
export function answerListens(pipe: Duplex, answer: (request: ListenRequest) => Promise<ListenAnswer>): void {
  let text = ''
  const serve = async (line: string): Promise<void> => {
    const request = readListenRequest(parse(line))
    if (request === undefined) return void pipe.destroy()
    pipe.pause()
    const reply = await answer(request)
    if (pipe.destroyed) return
    pipe.write(`${JSON.stringify(reply)}\n`)
    pipe.resume()
  }
  // The worker is gone; its exit event follows.
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
