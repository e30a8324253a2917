// nginx, set up as well as its manual allows: connections to the servers are kept alive, nothing is logged. It has one worker process, so
// that its least_conn counts everything; with two a request costs the same.

import { userInfo } from 'node:os'

export const nginx = nginxOn((port) => `listen 127.0.0.1:${port} backlog=511;`)

/** Ends TLS, with the certificate that the environment names. */
export const nginxTls = nginxOn(
  (port) => `listen 127.0.0.1:${port} ssl backlog=511; ssl_certificate ${process.env.TLS_CERT}; ssl_certificate_key ${process.env.TLS_KEY};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:10m;`,
)

/** Ends HTTP/2 without TLS. */
export const nginxHttp2 = nginxOn((port) => `listen 127.0.0.1:${port} http2 backlog=511;`)

function nginxOn(listen) {
  return {
    command: 'nginx',
    args: (file, folder) => ['-p', folder, '-c', file],

    config: (port, pools) => `${process.getuid() === 0 ? `user ${userInfo().username};` : ''}
daemon off; worker_processes 1; pid nginx.pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; default_type text/plain;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  keepalive_requests 1000000000; keepalive_timeout 75s;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_next_upstream off;
${[...pools].map(([pool, sockets]) => upstream(pool, sockets)).join('\n')}
  server {
    ${listen(port)}
${[...pools.keys()].map((pool) => `    location /${pools.size > 1 ? pool : ''} { proxy_pass http://${pool}; }`).join('\n')}
  }
}
`,
  }
}

// Shorter than the servers keep a connection.
function upstream(pool, sockets) {
  const servers = sockets.map((at) => `server ${at.startsWith('/') ? `unix:${at}` : at};`).join(' ')
  return `  upstream ${pool} { least_conn; ${servers} keepalive 128; keepalive_requests 1000000000; keepalive_timeout 60s; }`
}
