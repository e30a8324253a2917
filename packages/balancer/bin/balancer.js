#!/usr/bin/env node
// The command `balancer`. It only finds the built command line and ends with its exit code.

import { existsSync } from 'node:fs'

/** Time for what a command left open to end by itself. */
const lingerMs = 2_000

const entry = new URL('../dist/cli/main.js', import.meta.url)

if (existsSync(entry)) {
  const { main } = await import(entry.href)
  process.exitCode = await main(process.argv.slice(2))
  setTimeout(() => process.exit(), lingerMs).unref()
} else {
  console.error('balancer: this checkout is not built yet; run npm run build first')
  process.exitCode = 1
}
