// HAProxy with connections to the servers that any client's request may use.

export const haproxy = {
  args: (file) => ['-db', '-f', file],

  config: (port, pools) => `global
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
  retries 0
frontend in
  bind 127.0.0.1:${port}
${[...pools.keys()].map((pool) => `  use_backend ${pool}${pools.size > 1 ? ` if { path_beg /${pool} }` : ''}`).join('\n')}
${[...pools].map(([pool, sockets]) => backend(pool, sockets)).join('\n')}
`,
}

function backend(pool, sockets) {
  return [`backend ${pool}`, '  balance leastconn', ...sockets.map((path, index) => `  server ${pool}-${index} unix@${path}`)].join('\n')
}
