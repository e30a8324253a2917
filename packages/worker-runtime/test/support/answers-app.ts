// An app with one path per shape of answer.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const answers: Record<string, Answer> = {
  '/last': (_request, response) => response.end('last'),
  '/text': (_request, response) => response.setHeader('Content-Type', 'text/plain').end('hello'),
  '/empty': (_request, response) => response.end(),
  '/length': (_request, response) => response.writeHead(200, { 'Content-Length': 5 }).end('12345'),
  '/length-zero': (_request, response) => response.writeHead(200, { 'Content-Length': '0' }).end(),
  '/chunks': (_request, response) => {
    response.write('one')
    setImmediate(() => response.end('two'))
  },
  '/no-content': (_request, response) => response.writeHead(204).end(),
  '/not-modified': (_request, response) => response.writeHead(304, { ETag: '"x"', 'Content-Length': '100' }).end(),
  '/close': (_request, response) => response.writeHead(200, { Connection: 'close' }).end('bye'),
  '/no-connection-field': (_request, response) => {
    response.removeHeader('Connection')
    response.end('hello')
  },
  '/until-close': (_request, response) => {
    response.removeHeader('Transfer-Encoding')
    response.write('until ')
    setImmediate(() => response.end('close'))
  },
  '/status': (_request, response) => response.writeHead(299, 'Quite Fine (\xe9)').end('x'),
  '/no-phrase': (_request, response) => {
    response.statusMessage = ''
    response.writeHead(200, '').end('x')
  },
  '/fields': (_request, response) => {
    const fields = [
      'X-UPPER',
      '1',
      'x-lower',
      '2',
      'Set-Cookie',
      'a=1',
      'set-cookie',
      'b=2',
      'X-Twice',
      'first',
      'X-Twice',
      'second',
      'X-Empty',
      '',
    ]
    response.writeHead(200, [...fields, 'X-Latin', 'caf\xe9', 'Vary', 'a', 'VARY', 'b', 'Content-Length', '1']).end('x')
  },
  '/latin-stream': (_request, response) => {
    response.writeHead(200, ['X-Latin', 'caf\xe9 \xff'])
    response.write(Buffer.from([0xe9, 0x00, 0xff]))
    setTimeout(() => response.end(), 5)
  },
  '/disposition': (_request, response) => {
    const name = Buffer.from('attachment; filename="caf\u00e9.txt"').toString('latin1')
    response.writeHead(200, ['Content-Length', '1', 'Content-Disposition', name, 'X-After', 'caf\xe9']).end('x')
  },
  '/no-date': (_request, response) => {
    response.sendDate = false
    response.end('x')
  },
  '/own-date': (_request, response) => response.setHeader('Date', 'yesterday').end('x'),
  '/keep-alive': (_request, response) => response.writeHead(200, { Connection: 'keep-alive', 'Keep-Alive': 'timeout=77' }).end('x'),
  '/trailers': (request, response) => {
    // Node throws where trailers are impossible.
    if (request.method !== 'HEAD') response.writeHead(200, ['Trailer', 'X-Sum, x-twice'])
    response.write('body')
    response.addTrailers([
      ['X-Sum', '1'],
      ['x-twice', 'a'],
      ['x-twice', 'b'],
    ])
    response.end()
  },
  '/many-fields': (_request, response) => {
    response.writeHead(200, [...many('x-field', 2_100), 'Content-Length', '1']).end('x')
  },
  '/many-trailers': (request, response) => {
    if (request.method !== 'HEAD') response.writeHead(200, { Trailer: 'X-Field' })
    response.write('body')
    const fields = many('x-field', 1_200)
    response.addTrailers(
      Array.from({ length: 1_200 }, (_, at): [string, string] => [fields[at * 2] as string, fields[at * 2 + 1] as string]),
    )
    response.end()
  },
  '/many-hints': (_request, response) => {
    response.writeEarlyHints({
      link: '</a.css>; rel=preload',
      ...Object.fromEntries(Array.from({ length: 1_200 }, (_, at) => [`x-${at}`, '1'])),
    })
    response.end('x')
  },
  '/late-trailers': (request, response) => {
    if (request.method !== 'HEAD') response.writeHead(200, { Trailer: 'X-Sum' })
    response.write('body')
    setTimeout(() => {
      response.addTrailers({ 'X-Sum': '2' })
      response.end()
    }, 5)
  },
  '/hints': (_request, response) => {
    response.writeProcessing()
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style', 'x-trace': 'id' })
    setImmediate(() => response.end('after hints'))
  },
  '/unasked-continue': (_request, response) => {
    response.writeContinue()
    response.end('x')
  },
  '/echo': echo,
}

/** What the app saw, as JSON, without the client's port. */
export function echo(request: IncomingMessage, response: ServerResponse): void {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, rawHeaders, headers, headersDistinct } = request
    const { rawTrailers, trailers, complete } = request
    const { remoteAddress, remoteFamily, localAddress } = request.socket
    const encrypted = (request.socket as { encrypted?: boolean }).encrypted
    const body = Buffer.concat(parts).toString('latin1')
    const version = { httpVersion, httpVersionMajor, httpVersionMinor }
    const seen = { method, url, version, rawHeaders, headers, headersDistinct, rawTrailers, trailers, complete, body }
    response.end(JSON.stringify({ ...seen, remoteAddress, remoteFamily, localAddress, encrypted }))
  })
}

/** Names and values in turn. */
function many(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => [name, String(at)]).flat()
}

/** The paths of this app except `/echo` and `/last`. */
export const shapes: readonly string[] = Object.keys(answers).filter((path) => path !== '/echo' && path !== '/last')

/** Answers by path; the query is ignored. */
export function answersApp(server: Pick<Server, 'on'>): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url as string).split('?')[0] as string
    const answer = answers[path] ?? echo
    answer(request, response)
  })
}
