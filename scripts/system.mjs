// The programs that build and tests need beside Node: installed on Debian when missing, named elsewhere, never skipped.

import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { run } from './workspace.mjs'

const needs = [
  { for: 'build', commands: [process.env.CXX ?? 'g++'], debian: 'g++', why: 'compiles the native module' },
  { for: 'pack', commands: ['aarch64-linux-gnu-g++'], debian: 'g++-aarch64-linux-gnu', why: 'compiles the native module for arm64' },
  { for: 'pack', commands: ['x86_64-linux-gnu-g++'], debian: 'g++-x86-64-linux-gnu', why: 'compiles the native module for x64' },
  { for: 'test', commands: ['nginx'], debian: 'nginx-light', why: 'a proxy that the balancer is tested behind' },
  {
    for: 'test',
    commands: ['/usr/lib/nginx/modules/ngx_stream_module.so'],
    debian: 'libnginx-mod-stream',
    why: 'lets nginx pass on TCP connections',
  },
  { for: 'test', commands: ['python3'], debian: 'python3', why: 'a server that is no worker, in the example mixed' },
  { for: 'test', commands: ['haproxy'], debian: 'haproxy', why: 'a proxy that the balancer is tested behind' },
  { for: 'soak', commands: ['wrk'], debian: 'wrk', why: 'sends requests' },
  { for: 'soak', commands: ['ab'], debian: 'apache2-utils', why: 'sends requests' },
  { for: 'soak', commands: ['h2load'], debian: 'nghttp2-client', why: 'sends requests over HTTP/2' },
  { for: 'soak', commands: ['testssl'], debian: 'testssl.sh', why: 'looks for faults of TLS servers' },
  { for: 'soak', commands: ['sslscan'], debian: 'sslscan', why: 'lists what a TLS server accepts' },
  { for: 'test', commands: ['redis-server'], debian: 'redis-server', why: 'a server that sessions are tested with' },
  { for: 'test', commands: ['promtool'], debian: 'prometheus', why: 'checks the metrics' },
  { for: 'test', commands: ['tmux'], debian: 'tmux', why: 'the terminal that balancer top is tested in' },
  {
    for: 'test',
    commands: ['chromium', 'chromium-browser', 'google-chrome'],
    debian: 'chromium',
    why: 'the browser that opens the example pages',
  },
]

// No service of an installed package is started; an existing policy stays as it is.
const INSTALL = `set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update
apt-get install -y --no-install-recommends "$@"`

/** Is there such a command? Debian's servers are in folders that only root has in its PATH. */
export function isInstalled(command) {
  if (isAbsolute(command)) return existsSync(command)
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'].some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

const missing = (purposes) => needs.filter((need) => purposes.includes(need.for) && !need.commands.some(isInstalled))

/** True when every program for these purposes ('build', 'test', 'pack', 'soak') is there, if need be after installing it. */
export async function ensureSystem(...purposes) {
  const wanted = missing(purposes)
  if (wanted.length === 0) return true
  for (const { commands, why } of wanted) console.log(`not on this machine: ${commands[0]} (${why})`)
  if (existsSync('/etc/debian_version')) {
    const shell = process.getuid?.() === 0 ? ['sh'] : ['sudo', '-n', 'sh']
    const [command, ...args] = [...shell, '-c', INSTALL, 'sh', ...wanted.map((need) => need.debian)]
    await run(command, args)
  }
  const still = missing(purposes)
  if (still.length === 0) return true
  console.error(
    `Please install ${still.map((need) => need.commands[0]).join(', ')}. On Debian: sudo apt-get install ${still.map((need) => need.debian).join(' ')}`,
  )
  return false
}
