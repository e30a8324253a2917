// The load of `tls`, in a process of its own: tls-clients.js <port> <kept | full | resumed> <count> <clients>. Sends `count` requests, and prints how many
// were answered, on how many connections, and how many of these resumed a session. kept: on connections that stay. full, resumed: each on a new connection,
// with or without the session of the client's last one.

import { connect } from 'node:tls'

const [port, mode, count, clients] = process.argv.slice(2)
const REQUEST = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
const END = 'Hello world\n'
const totals = { answered: 0, connections: 0, resumed: 0, failures: 0 }
let left = Number(count)

/** Sends up to `most` requests on one connection. Resolves with the last session that the server gave. */
function converse(session, most) {
  return new Promise((resolve) => {
    let given = session
    let text = ''
    let sent = 0
    const socket = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false, servername: '', session })
    const ask = () => {
      left--
      sent++
      text = ''
      socket.write(REQUEST)
    }
    socket.setEncoding('latin1')
    socket.on('secureConnect', () => {
      totals.connections++
      if (socket.isSessionReused()) totals.resumed++
      if (left > 0) ask()
      else socket.destroy()
    })
    socket.on('session', (latest) => {
      given = latest
    })
    socket.on('data', (chunk) => {
      text += chunk
      if (!text.endsWith(END)) return
      totals.answered++
      if (left > 0 && sent < most) ask()
      else socket.end()
    })
    socket.on('error', () => {
      totals.failures++
      socket.destroy()
    })
    socket.on('close', () => resolve(given))
  })
}

async function client() {
  let session
  while (left > 0) {
    const given = await converse(mode === 'resumed' ? session : undefined, mode === 'kept' ? Number.POSITIVE_INFINITY : 1)
    session = given
  }
}

await Promise.all(Array.from({ length: Number(clients) }, client))
console.log(JSON.stringify(totals))
