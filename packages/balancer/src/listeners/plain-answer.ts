// Makes whole HTTP/1.1 responses of plain text, after which the primary ends the connection.

/** `fields`: further fields of the head. */
export function plainAnswer(status: string, body: string, fields: readonly string[] = [], isHead = false): Buffer {
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...fields,
    'Cache-Control: no-store',
    'Connection: close',
    '\r\n',
  ].join('\r\n')
  return Buffer.from(isHead ? head : head + body, 'latin1')
}
