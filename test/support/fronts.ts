// nginx and HAProxy in front of a port, with kept-alive connections to it, as most sites have.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atSuiteEnd } from '../suite.ts'
import { freePort } from './ports.ts'
import { type LoggedChild, spawnLogged } from './spawn.ts'
import { until } from './until.ts'

/** A running proxy. */
export interface Front {
  readonly port: number
  readonly url: string
  /** Speaks HTTP/2 without TLS, if the proxy does. */
  readonly http2Port: number | undefined
  stop(): Promise<void>
}

const PATH = `${process.env.PATH}:/usr/sbin`

/** nginx that root starts gives its workers another user, who could not write bodies to the temporary folder. */
const USER = process.getuid?.() === 0 ? 'user root;' : ''

/** nginx with kept-alive upstream connections, websockets passed on. */
export async function startNginx(target: number): Promise<Front> {
  const folder = temporary()
  const [port, http2Port] = [await freePort(), await freePort()]
  writeFileSync(
    join(folder, 'nginx.conf'),
    `${USER} daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  keepalive_requests 1000000; client_max_body_size 10m;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream app { server 127.0.0.1:${target}; keepalive 32; keepalive_requests 1000000; keepalive_timeout 3s; }
  server {
    listen 127.0.0.1:${port}; listen 127.0.0.1:${http2Port} http2;
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_next_upstream off; proxy_buffering on;
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }
  }
}
`,
  )
  const child = spawnLogged('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { env: { ...process.env, PATH } })
  return ready(child, port, http2Port)
}

/** HAProxy that reuses its upstream connections for any client (`http-reuse always`). */
export async function startHaproxy(target: number): Promise<Front> {
  const folder = temporary()
  const port = await freePort()
  writeFileSync(
    join(folder, 'haproxy.cfg'),
    `global
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  retries 0
  option forwardfor
frontend in
  bind 127.0.0.1:${port}
  default_backend app
backend app
  http-reuse always
  server app 127.0.0.1:${target} pool-purge-delay 3s
`,
  )
  const child = spawnLogged('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], { env: { ...process.env, PATH } })
  return ready(child, port, undefined)
}

/** nginx that passes on TCP connections, with PROXY protocol headers of version 1. */
export async function startNginxStream(target: number): Promise<Front> {
  const folder = temporary()
  const port = await freePort()
  writeFileSync(
    join(folder, 'nginx.conf'),
    `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;
events { worker_connections 4096; }
stream { server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${target}; proxy_protocol on; } }
`,
  )
  const child = spawnLogged('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { env: { ...process.env, PATH } })
  return ready(child, port, undefined)
}

/**
 * HAProxy that passes on TCP connections with PROXY protocol headers. `send`: the options of its server, such as `send-proxy-v2`.
 * `pem`: file of a certificate with its key, with which HAProxy ends TLS.
 */
export async function startHaproxyTcp(target: number, send: string, pem?: string): Promise<Front> {
  const folder = temporary()
  const port = await freePort()
  writeFileSync(
    join(folder, 'haproxy.cfg'),
    `global
  maxconn 4096
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  unique-id-format %pid-%rt
frontend in
  bind 127.0.0.1:${port}${pem === undefined ? '' : ` ssl crt ${pem} alpn http/1.1`}
  default_backend app
backend app
  server app 127.0.0.1:${target} ${send}
`,
  )
  const child = spawnLogged('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], { env: { ...process.env, PATH } })
  return ready(child, port, undefined)
}

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'front-'))
  mkdirSync(join(folder, 'logs'))
  atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function ready(child: LoggedChild, port: number, http2Port: number | undefined): Promise<Front> {
  await until(() => answers(port), 10_000, `a proxy on port ${port}: ${child.output()}`)
  return { port, url: `http://127.0.0.1:${port}`, http2Port, stop: () => child.stop() }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
