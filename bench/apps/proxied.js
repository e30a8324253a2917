// A proxy in front of plain servers on unix sockets: proxied.js <nginx | nginx-tls | nginx-http2 | haproxy | haproxy-one-each | haproxy-tls |
// haproxy-http2> <pool>=<size>…. A path goes to its pool; a single pool takes them all. With SERVERS, host:port with commas between them, it is in front
// of those.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder, freePort, printReady, start, startPools } from './family.js'
import { haproxy, haproxyHttp2, haproxyOneEach, haproxyTls } from './haproxy.js'
import { nginx, nginxHttp2, nginxTls } from './nginx.js'

const [name, ...sizes] = process.argv.slice(2)
const { command, config, args } = {
  ...{ nginx, 'nginx-tls': nginxTls, 'nginx-http2': nginxHttp2 },
  ...{ haproxy, 'haproxy-one-each': haproxyOneEach, 'haproxy-tls': haproxyTls, 'haproxy-http2': haproxyHttp2 },
}[name]

const { SERVERS } = process.env
const pools = SERVERS === undefined ? await startPools(sizes) : new Map([['all', SERVERS.split(',')]])
const port = await freePort()
const file = join(folder, `${name}.conf`)
writeFileSync(file, config(port, pools))
start(command, args(file, folder))
await printReady(port)
