// HAProxy with connections to the servers that any client's request may use.

/** Every request goes at once to the server that has the fewest. */
export const haproxy = haproxyWith('')

/** Ends TLS, with the certificate that the environment names. */
export const haproxyTls = haproxyWith('', ` ssl crt ${process.env.TLS_PEM}`)

/** Ends HTTP/2 without TLS. */
export const haproxyHttp2 = haproxyWith('', ' proto h2')

/** A server has one request at a time; all others wait in one queue. */
export const haproxyOneEach = haproxyWith(' maxconn 1')

function haproxyWith(perServer, perListener = '') {
  const backend = (pool, sockets) =>
    [
      `backend ${pool}`,
      '  balance leastconn',
      ...sockets.map((at, index) => `  server ${pool}-${index} ${at.startsWith('/') ? `unix@${at}` : at}${perServer}`),
    ].join('\n')
  return {
    command: 'haproxy',
    args: (file) => ['-db', '-f', file],

    config: (port, pools) => `global
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout queue 60s
  timeout client 60s
  timeout server 60s
  http-reuse always
  retries 0
frontend in
  bind 127.0.0.1:${port}${perListener}
${[...pools.keys()].map((pool) => `  use_backend ${pool}${pools.size > 1 ? ` if { path_beg /${pool} }` : ''}`).join('\n')}
${[...pools].map(([pool, sockets]) => backend(pool, sockets)).join('\n')}
`,
  }
}
