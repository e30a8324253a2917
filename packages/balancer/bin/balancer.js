#!/usr/bin/env node
// The command `balancer`: runs the built command line and exits with its exit code. Every Node since 10 can parse this file, so that an old one
// prints what to do instead of a SyntaxError. So there is no static import, no top-level await and no import.meta here.

/** The parsers of older versions end the head of a request at `\r\n\rX`. */
const LEAST_NODE = [20, 19, 2]
/** `balancer doctor` runs from here on, to say what else is wrong. */
const LEAST_NODE_OF_DOCTOR = [20, 12, 0]
/** Of ERR_NODE_VERSION. */
const TOO_OLD = 14

/** How long handles that a command left open may keep the process running. */
const LINGER_MS = 2000

const isDoctor = process.argv[2] === 'doctor'

if (isOlderThan(isDoctor ? LEAST_NODE_OF_DOCTOR : LEAST_NODE)) {
  console.error(
    'balancer: this is Node ' +
      process.versions.node +
      ', and the balancer needs Node ' +
      LEAST_NODE.join('.') +
      ' or newer. Install Node 24 or 22 (ERR_NODE_VERSION)',
  )
  process.exitCode = TOO_OLD
} else {
  import('../dist/cli/main.js').then(run, (error) => {
    if (!isNotBuilt(error)) throw error
    console.error('balancer: this checkout is not built yet: run npm run build first')
    process.exitCode = 1
  })
}

function run(cli) {
  return cli.main(process.argv.slice(2)).then((exitCode) => {
    process.exitCode = exitCode
    setTimeout(() => process.exit(), LINGER_MS).unref()
  })
}

function isNotBuilt(error) {
  return error.code === 'ERR_MODULE_NOT_FOUND' && /^Cannot find module '[^']*[\\/]dist[\\/]cli[\\/]main\.js'/.test(error.message)
}

function isOlderThan(least) {
  const own = process.versions.node.split('.').map((part) => Number.parseInt(part, 10))
  const different = least.findIndex((part, index) => own[index] !== part)
  return different !== -1 && own[different] < least[different]
}
