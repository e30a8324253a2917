#!/usr/bin/env node
// The command `balancer`: runs the built command line and exits with its exit code.

import { existsSync } from 'node:fs'

/** How long handles that a command left open may keep the process running. */
const LINGER_MS = 2_000

const entry = new URL('../dist/cli/main.js', import.meta.url)

if (existsSync(entry)) {
  const { main } = await import(entry.href)
  process.exitCode = await main(process.argv.slice(2))
  setTimeout(() => process.exit(), LINGER_MS).unref()
} else {
  console.error('balancer: this checkout is not built yet: run npm run build first')
  process.exitCode = 1
}
