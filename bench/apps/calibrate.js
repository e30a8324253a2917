// Prints how many turns of the loop in burn.js take a millisecond of CPU on this machine, once V8 has compiled it. CPU time is counted, so
// other processes make no difference.

import { burn } from './burn.js'

const LOOPS = 2_000_000
const WARM_UPS = 10
const TIMES = 21

function cpuMsOf(loops) {
  const before = process.cpuUsage()
  if (!(burn(loops) > 0)) throw new Error('the loop was left out')
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

for (let count = 0; count < WARM_UPS; count += 1) burn(LOOPS)
const times = Array.from({ length: TIMES }, () => cpuMsOf(LOOPS)).sort((one, other) => one - other)
console.log(`loops per ms: ${Math.round(LOOPS / times[(TIMES - 1) / 2])}`)
