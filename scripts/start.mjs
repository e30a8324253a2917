// npm start: installs and builds what is missing, then runs the demo. Arguments after `--` go to the balancer: npm start -- --listen 8080

import { hasNpmEnded } from './npm-watch.mjs'
import { ensureSystem } from './system.mjs'
import { build } from './workspace.mjs'

// Without a compiler the build goes on, and the balancer says what is missing.
if (process.platform === 'linux') await ensureSystem('build')
const code = await build()
if (code !== 0 || hasNpmEnded()) process.exit(code)
await import('./demo.mjs')
